"""What a RecBole Transformer needs to carry the popularity head and to learn from every position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from recbole.utils import InputType
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from recbole_popaware.errors import UsageError
from recbole_popaware.model import losses
from recbole_popaware.model.encoder import fuse
from recbole_popaware.model.head_history import HeadHistory, Windows
from recbole_popaware.model.initialisation import initialise
from recbole_popaware.model.negatives import Negatives, NegativeSampler
from recbole_popaware.model.popularity_head import PopularityHead
from recbole_popaware.model.recency_head import DEFAULT_DECAY, DEFAULT_OFFSET, RecencyHead
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.play_index import PlayIndex, Queries

SWITCHED_OFF = "none"
BY_LOSS = "auto"
HEADS = (BY_LOSS, "softmax", "sigmoid", SWITCHED_OFF)

SCORES_AT_ONCE = 1 << 24  # floats in a piece of scores (64 MB); more are made and dropped piece by piece


class TrainingPlaces(NamedTuple):
    """What a batch trains.

    Attributes:
        hidden: ``[T, H]`` the network's view of each target's history.
        targets: ``[T]`` items to be predicted.
        plays: The histories.
        queries: Where in them each target stands.
    """

    hidden: Tensor
    targets: Tensor
    plays: PlayIndex
    queries: Queries


class PopularityAware:
    """Mixin before a RecBole Transformer; differs from stock in what follows.

    * The head's scores are added to the network's, in training and in inference.
    * Batches may hold a target at every place of a window (``train_targets: all``).
    * The loss may be any of :data:`~.losses.LOSS_TYPES`; negatives are drawn here, on the model's device.
    * ``share_embeddings: False`` gives the scores an item table of their own.
    * With ``calibrated_start`` BCE and gBCE see scores plus the constant that they ask for at the start.
    * ``initializer`` may draw the first weights in other ways than stock's (:mod:`~.initialisation`).
    * Attention runs through PyTorch's fused kernels, and evaluation computes one place of each row.

    With ``popularity_head: none``, ``train_targets: next``, ``loss_type: CE``, ``initializer: normal`` and
    shared embeddings it is the stock model: same weights, and the same scores and loss up to rounding.
    """

    input_type = InputType.POINTWISE  # RecBole need not draw negatives
    train_targets = ("all", "next")

    ITEM_SEQ: str
    ITEM_SEQ_LEN: str
    ITEM_ID: str
    USER_ID: str
    n_items: int
    hidden_size: int
    item_embedding: nn.Embedding
    position_embedding: nn.Embedding
    LayerNorm: nn.Module
    dropout: nn.Module
    trm_encoder: nn.Module
    output_embedding: nn.Embedding | None
    network_weight: nn.Parameter | None

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(_StockLoss(config), dataset)  # type: ignore[call-arg]  # the model behind the mixin
        fuse(self.trm_encoder)
        self.loss_type: str = config["loss_type"]
        self.NEXT_ITEMS = config["NEXT_ITEMS_FIELD"]
        self.END = config["HISTORY_END_FIELD"]
        self.popularity_head = _head(config, self.n_items)
        self.pps_history: str | int = config["pps_history"]
        self.history: PlayHistory | None = getattr(dataset, "history", None)
        if self.history is None and self.pps_history != "window":
            raise UsageError(
                f"pps_history: {self.pps_history} needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; say --pps_history=window"
            )
        self.network_weight = nn.Parameter(torch.zeros(())) if config["learn_network_weight"] else None
        if config["network_weights"]:  # the trainer sets it at every validation
            self.register_buffer("inference_weight", torch.ones(()))  # type: ignore[attr-defined]  # the model's
        self.output_embedding = None
        if not config["share_embeddings"]:
            self.output_embedding = nn.Embedding(self.n_items, self.hidden_size, padding_idx=0)
            self._init_weights(self.output_embedding)  # type: ignore[attr-defined]  # the model's
        initialise(self, config["initializer"])  # type: ignore[arg-type]  # the model
        if self.loss_type != "CE":
            self.shared_negatives: bool | str = config["shared_negatives"]
            self.negatives = NegativeSampler(
                dataset.item_plays(), config["negatives"], config["negative_sampling"]
            )
        self.beta = 1.0
        if self.loss_type == "gBCE":
            self.beta = losses.gbce_beta(config["negatives"], self.n_items - 1, config["gbce_t"])
        self.level: float | None = None
        if self.loss_type in losses.SIGMOID_LOSSES and config["calibrated_start"]:
            headed = self.popularity_head is not None
            self.level = losses.calibration_level(self.beta, self.n_items - 1, normalised=headed)

    def training_places(self, interaction: Any) -> TrainingPlaces:
        """What a batch trains."""
        raise NotImplementedError

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        raise NotImplementedError

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Mean loss over the targets of a batch."""
        places = self.training_places(interaction)
        loss = self._catalogue_losses if self.loss_type == "CE" else self._sampled_losses
        per_target = loss(places)
        return losses.mean_over(per_target, torch.ones_like(per_target, dtype=torch.bool))

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        items = interaction[self.ITEM_ID].unsqueeze(1)
        scores = self._scores_of(self.last_hidden(interaction), items)
        if self.popularity_head is not None:
            plays, queries = self._at_ends(interaction)
            scores = scores + self.popularity_head.candidates(plays, queries, items)
        return scores.squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        scores = self.network_scores(interaction)
        if self.popularity_head is None:
            return scores
        return self.popularity_head.add_to_(scores, *self._at_ends(interaction))

    def network_scores(self, interaction: Any) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``."""
        return self._all_scores(self.last_hidden(interaction))

    def popularity_scores(self, interaction: Any) -> Tensor | None:
        """The head's scores of all items, ``[B, n_items]``; ``None`` where it is switched off."""
        if self.popularity_head is None:
            return None
        windows = interaction[self.ITEM_SEQ]
        zeros = torch.zeros(len(windows), self.n_items, device=windows.device)
        return self.popularity_head.add_to_(zeros, *self._at_ends(interaction))

    def embed(self, windows: Tensor) -> Tensor:
        """Embedded places ``[B, L, H]`` of windows ``[B, L]``, as stock feeds them to its encoder."""
        embedded = self.item_embedding(windows) + self.position_embedding.weight[: windows.size(1)]
        places: Tensor = self.dropout(self.LayerNorm(embedded))
        return places

    def counted(self, interaction: Any, items: Tensor, newest: int = 0) -> HeadHistory:
        """What the head counts for a batch.

        Args:
            interaction: The batch.
            items: ``[B, L]`` its windows, as the network may see them.
            newest: How many plays behind the batch's own windows they hold.
        """
        if self.history is None or self.pps_history == "window":
            return HeadHistory.of_windows(items, self.n_items)
        lengths, users = interaction[self.ITEM_SEQ_LEN], interaction[self.USER_ID]
        windows = Windows(items, lengths, users, interaction[self.END] + newest)
        limit = None if self.pps_history == "full" else int(self.pps_history)
        return HeadHistory.of_store(windows, self.n_items, self.history, limit)

    def _at_ends(self, interaction: Any) -> tuple[PlayIndex, Queries]:
        """Histories, and a query behind each row's window."""
        counted = self.counted(interaction, interaction[self.ITEM_SEQ])
        lengths = interaction[self.ITEM_SEQ_LEN]
        return counted.plays, counted.before(torch.arange(len(lengths), device=lengths.device), lengths)

    def _item_table(self) -> Tensor:
        table = self.item_embedding if self.output_embedding is None else self.output_embedding
        return table.weight[: self.n_items]  # BERT4Rec's holds its mask as well

    def _item_bias(self) -> Tensor | None:
        bias = getattr(self, "output_bias", None)  # BERT4Rec has one, SASRec has none
        return None if bias is None else self._weighted(bias)

    def _weighted(self, x: Tensor) -> Tensor:
        x = x if self.network_weight is None else x * self.network_weight
        if self.training or not hasattr(self, "inference_weight"):  # type: ignore[attr-defined]  # the model's
            return x
        return x * self.inference_weight

    def _all_scores(self, hidden: Tensor) -> Tensor:
        """Scores of all items ``[T, n_items]``, in float32 also where autocast halves the product."""
        hidden = self._weighted(hidden)
        scores = hidden @ self._item_table().T
        bias = self._item_bias()
        scores = scores if bias is None else scores + bias
        return scores if scores.dtype == torch.float64 else scores.float()

    def _scores_of(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[T, K]``; or ``[R, M, K]`` of ``[R, K]`` for hidden ``[R, M, H]``."""
        hidden, embedded, bias = self._weighted(hidden), self._item_table()[items], self._item_bias()
        if hidden.dim() == 2:
            scores = (embedded @ hidden.unsqueeze(-1)).squeeze(-1)
            return scores if bias is None else scores + bias[items]
        scores = hidden @ embedded.transpose(1, 2)
        return scores if bias is None else scores + bias[items].unsqueeze(1)

    def _catalogue_losses(self, places: TrainingPlaces) -> Tensor:
        def losses_of(hidden: Tensor, targets: Tensor, number: Tensor) -> Tensor:
            logits = self._all_scores(hidden)
            if self.popularity_head is not None:
                self.popularity_head.add_to_(logits, places.plays, places.queries.at(number))
            return nn.functional.cross_entropy(logits, targets, reduction="none")

        number = torch.arange(len(places.targets), device=places.targets.device)
        return _in_pieces(losses_of, (places.hidden, places.targets, number), self.n_items)

    def _sampled_losses(self, places: TrainingPlaces) -> Tensor:
        hidden, targets, plays, queries = places
        positive = self._scores_of(hidden, targets.unsqueeze(1)).squeeze(1)
        if (head := self.popularity_head) is not None:
            positive = positive + head.candidates(plays, queries, targets.unsqueeze(1)).squeeze(1)
        drawn, negative = self._negatives(places)
        mask = drawn.items != targets.unsqueeze(1)
        if self.loss_type == "SampledCE":
            return losses.sampled_ce(positive, negative, mask, drawn.log_expected)
        if self.loss_type == "BPR":
            return losses.bpr(positive, negative, mask)
        if self.level is not None:
            positive = positive + (self.level - self.negatives.log_expected_of(targets))
            negative = negative + (self.level - drawn.log_expected)
        return losses.bce(positive, negative, mask, self.beta)

    def _negatives(self, places: TrainingPlaces) -> tuple[Negatives, Tensor]:
        """Draw items, ``[T, K]`` or ``[1, K]``, and score them, ``[T, K]``."""
        hidden, targets, plays, queries = places
        head, n_windows = self.popularity_head, len(plays.starts) - 1
        if not self.shared_negatives:
            drawn = self.negatives(len(targets))
            width = drawn.items.size(1) * self.hidden_size
            scores = _in_pieces(self._scores_of, (hidden, drawn.items), width)
            return drawn, scores if head is None else scores + head.candidates(plays, queries, drawn.items)
        if self.shared_negatives == "window":
            drawn = self.negatives(n_windows)
            scores = self._scores_by_window(hidden, queries.rows, drawn.items)
            of_window, drawn = drawn.items, drawn.of_rows(queries.rows)
        else:
            drawn = self.negatives(1)
            scores = self._scores_of(hidden.unsqueeze(0), drawn.items).squeeze(0)
            of_window = drawn.items.expand(n_windows, -1)
        if head is not None:
            scores = scores + head.candidates(plays, queries, of_window, by_row=True)
        return drawn, scores

    def _scores_by_window(self, hidden: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[B, K]``, those of each target's window; ``rows`` ascend."""
        sizes = torch.bincount(rows, minlength=len(items))
        column = torch.arange(len(rows), device=rows.device) - (sizes.cumsum(0) - sizes)[rows]
        padded = hidden.new_zeros(len(items), int(sizes.max()), hidden.size(1))
        padded = padded.index_put((rows, column), hidden)
        return self._scores_of(padded, items)[rows, column]


class _StockLoss:
    """A configuration as RecBole's classes accept it: they know only two losses, and ours takes over."""

    def __init__(self, config: Any) -> None:
        self._config = config

    def __getitem__(self, name: str) -> Any:
        return "CE" if name == "loss_type" else self._config[name]


def _head(config: Any, n_items: int) -> PopularityHead | None:
    form, learn = config["popularity_head"], tuple(config["pps_learn"])
    decay, offset = config["pps_decay"], config["pps_offset"]
    if form == SWITCHED_OFF:
        return None
    if form == BY_LOSS:
        form = "sigmoid" if config["loss_type"] in losses.SIGMOID_LOSSES else "softmax"
    if not learn and not decay:
        return PopularityHead(n_items, form, config["pps_epsilon"])
    if decay is None:
        decay = DEFAULT_DECAY if "d" in learn else 0.0
    if offset is None:
        offset = DEFAULT_OFFSET if "c" in learn else 0.0
    return RecencyHead(n_items, form, config["pps_epsilon"], decay, learn, offset)


def _in_pieces(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], width: int) -> Tensor:
    """Compute ``[T, ...]`` from inputs ``[T, ...]`` without holding T x ``width`` floats at a time.

    Large batches are cut into pieces whose intermediate values are dropped, and made again in the backward
    pass: a third more arithmetic, and memory that does not grow with the batch.
    """
    step = max(SCORES_AT_ONCE // width, 1)
    if len(inputs[0]) <= step:
        return function(*inputs)
    pieces = zip(*(torch.split(part, step) for part in inputs))
    return torch.cat([checkpoint(function, *piece, use_reentrant=False) for piece in pieces])
