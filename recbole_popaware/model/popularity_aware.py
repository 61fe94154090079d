"""What a sequential model of RecBole needs to carry the popularity head, in training and in inference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.utils import InputType
from torch import Tensor, nn

from recbole_popaware.errors import UsageError
from recbole_popaware.model.head_history import HeadHistory, Windows
from recbole_popaware.model.heads import make_head
from recbole_popaware.model.initialisation import initialise
from recbole_popaware.model.objective import Targets, make_objective
from recbole_popaware.model.scorer import NetworkScorer, Scorer
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.play_index import PlayIndex, Queries


class PopularityAware(SequentialRecommender):
    """Mixin before a sequential model of RecBole; differs from stock in what follows.

    * The head's scores are added to the network's, in training and in inference.
    * The loss may be any of :data:`~.losses.LOSS_TYPES`; negatives are drawn here, on the model's device.
    * ``share_embeddings: False`` gives the scores an item table of their own.
    * ``initializer`` may draw the first weights in other ways than stock's (:mod:`~.initialisation`).

    It takes any model whose ``forward(windows, lengths)`` gives hidden states that are scored by products
    with ``item_embedding`` (and ``output_bias``, if there is one).
    """

    input_type = InputType.POINTWISE  # RecBole need not draw negatives

    def __init__(self, config: Any, dataset: Any) -> None:
        with _stock_loss(config):
            super().__init__(config, dataset)
        self.loss_type: str = config["loss_type"]
        self.NEXT_ITEMS, self.END = config["NEXT_ITEMS_FIELD"], config["HISTORY_END_FIELD"]
        self.pps_history: str | int = config["pps_history"]
        self.history: PlayHistory | None = getattr(dataset, "history", None)
        if self.history is None and self.pps_history != "window":
            raise UsageError(
                f"pps_history: {self.pps_history} needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; say --pps_history=window"
            )
        self.popularity_head = make_head(config, self.n_items)
        self.objective = make_objective(config, dataset, normalised=self.popularity_head is not None)
        self.network_weight = nn.Parameter(torch.zeros(())) if config["learn_network_weight"] else None
        validated = torch.ones(()) if config["network_weights"] else None  # set at every validation
        self.register_buffer("inference_weight", validated)
        self.output_embedding: nn.Embedding | None = None
        if not config["share_embeddings"]:
            size = self.item_embedding.embedding_dim
            self.output_embedding = nn.Embedding(self.n_items, size, padding_idx=0)
            self._init_weights(self.output_embedding)
        initialise(self, config["initializer"])

    def training_targets(self, interaction: Any) -> Targets:
        """What a batch trains: the item behind each row's window, unless a model knows better."""
        ends = self._at_ends(interaction)
        return Targets(self.last_hidden(interaction), interaction[self.POS_ITEM_ID], *ends)

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        hidden: Tensor = self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return hidden

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Mean loss over the targets of a batch; 0 if there are none."""
        hidden, items, plays, queries = self.training_targets(interaction)
        scorer = Scorer(self.network_scorer(), self.popularity_head, plays, queries)
        per_target = self.objective(scorer, hidden, items)
        return per_target.sum() / max(len(per_target), 1)

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        scorer = Scorer(self.network_scorer(), self.popularity_head, *self._at_ends(interaction))
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return scorer.candidates(self.last_hidden(interaction), items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        scores = self.network_scores(interaction)
        if self.popularity_head is None:
            return scores
        return self.popularity_head.add_to_(scores, *self._at_ends(interaction))

    def network_scores(self, interaction: Any) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``."""
        return self.network_scorer().catalogue(self.last_hidden(interaction))

    def popularity_scores(self, interaction: Any) -> Tensor | None:
        """The head's scores of all items, ``[B, n_items]``; ``None`` where it is switched off."""
        if self.popularity_head is None:
            return None
        windows = interaction[self.ITEM_SEQ]
        zeros = torch.zeros(len(windows), self.n_items, device=windows.device)
        return self.popularity_head.add_to_(zeros, *self._at_ends(interaction))

    def network_scorer(self) -> NetworkScorer:
        """What scores hidden states, with the weights as they are now."""
        table = self.item_embedding if self.output_embedding is None else self.output_embedding
        weights = (self.network_weight, None if self.training else self.inference_weight)
        return NetworkScorer(
            table.weight[: self.n_items],  # BERT4Rec's holds its mask as well
            getattr(self, "output_bias", None),
            tuple(weight for weight in weights if weight is not None),
        )

    def head_history(self, interaction: Any, windows: Tensor, newest: int = 0) -> HeadHistory:
        """The plays that the head counts for a batch.

        Args:
            interaction: The batch.
            windows: ``[B, L]`` its windows, as the network may see them.
            newest: How many plays after the batch's own windows they hold.
        """
        if self.history is None or self.pps_history == "window":
            return HeadHistory.of_windows(windows, self.n_items)
        lengths, users = interaction[self.ITEM_SEQ_LEN], interaction[self.USER_ID]
        limit = None if self.pps_history == "full" else int(self.pps_history)
        seen = Windows(windows, lengths, users, interaction[self.END] + newest)
        return HeadHistory.of_store(seen, self.n_items, self.history, limit)

    def _at_ends(self, interaction: Any) -> tuple[PlayIndex, Queries]:
        """Histories, and a query after each row's window."""
        history = self.head_history(interaction, interaction[self.ITEM_SEQ])
        lengths = interaction[self.ITEM_SEQ_LEN]
        return history.plays, history.before(torch.arange(len(lengths), device=lengths.device), lengths)


@contextmanager
def _stock_loss(config: Any) -> Iterator[None]:
    """Let RecBole's constructors, which refuse all losses but CE and BPR, make a network for any loss."""
    loss_type, config["loss_type"] = config["loss_type"], "CE"
    try:
        yield
    finally:
        config["loss_type"] = loss_type
