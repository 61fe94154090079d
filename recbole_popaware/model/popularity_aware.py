"""What a sequential model of RecBole needs to carry the popularity head, in training and in inference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import torch
from recbole.utils import InputType
from torch import Tensor, nn

from recbole_popaware.errors import UsageError
from recbole_popaware.model.count_output import COUNTNET, CountNet
from recbole_popaware.model.head_carrier import HeadCarrier
from recbole_popaware.model.head_history import HeadHistory
from recbole_popaware.model.heads import REPLAY
from recbole_popaware.model.initialisation import initialise
from recbole_popaware.model.objective import Targets, make_objective
from recbole_popaware.model.replay_head import ReplayHead
from recbole_popaware.model.rows import DENSE
from recbole_popaware.model.scorer import NetworkScorer, Output, Scorer
from recbole_popaware.plays.play_index import PlayIndex, Queries
from recbole_popaware.replay.network import View


class Encoded(NamedTuple):
    """What a network makes of a batch's windows.

    Attributes:
        windows: ``[B, L]`` items as it sees them; ids outside the catalogue are no plays.
        states: ``[B, L, H]`` its state at each position.
        last: ``[B]`` the position whose state predicts.
    """

    windows: Tensor
    states: Tensor
    last: Tensor


class Ends(NamedTuple):
    """What is known behind each window of a batch; attributes as of :class:`~.objective.Targets`."""

    hidden: Tensor
    plays: PlayIndex
    queries: Queries
    states: Tensor | None = None


class PopularityAware(HeadCarrier):
    """Mixin before a sequential model of RecBole; differs from stock in what follows.

    * The head's scores are added to the network's, in training and in inference.
    * The loss may be any of :data:`~.losses.LOSS_TYPES`; negatives are drawn here, on the model's device.
    * ``share_embeddings: False`` gives the scores an item table of their own.
    * ``initializer`` may draw the first weights in other ways than stock's (:mod:`~.initialisation`).
    * ``output: countnet`` scores the items of the window by a layer of their own (:mod:`~.count_output`); it
      reads the states of all positions, which a model gives by :meth:`encoded`.
    * Unless ``table_optimizer`` is ``dense``, item tables have sparse gradients, of the rows that a batch
      looks up.
    * ``popularity_head: replay`` takes the place of the head's scores and of their sum with the network's
      (:mod:`~.replay_head`): training minimises the network's loss alone, on plays up to a border, and in
      batches of their own the loss of the replay head on plays after it, which does not reach the network.

    A model that reads windows of any length alike, the oldest play at position 0, says so by
    ``reads_any_length``: windows of a batch are then made no longer than its longest.

    It takes any model whose ``forward(windows, lengths)`` gives hidden states that are scored by products
    with ``item_embedding`` (and ``output_bias``, if there is one).
    """

    input_type = InputType.POINTWISE  # RecBole need not draw negatives
    reads_any_length: ClassVar[bool] = False

    def __init__(self, config: Any, dataset: Any) -> None:
        with _stock_loss(config):
            super().__init__(config, dataset)
        self.loss_type: str = config["loss_type"]
        self.NEXT_ITEMS: str = config["NEXT_ITEMS_FIELD"]
        self.carry_head(config, dataset)
        self.objective = make_objective(config, dataset, normalised=self.popularity_head is not None)
        self.output_embedding: nn.Embedding | None = None
        if not config["share_embeddings"]:
            size = self.item_embedding.embedding_dim
            self.output_embedding = nn.Embedding(self.n_items, size, padding_idx=0)
            self._init_weights(self.output_embedding)
        self.output: CountNet | None = None
        if config["output"] == COUNTNET:
            self.output = CountNet(self.item_embedding.embedding_dim)
        initialise(self, config["initializer"])
        self.has_sparse_tables: bool = (config["table_optimizer"] or DENSE) != DENSE
        for table in (self.item_embedding, self.output_embedding):
            if table is not None:
                table.sparse = self.has_sparse_tables
        self.EXAMPLE: str = config["EXAMPLE_FIELD"]
        self.replay: ReplayHead | None = None
        if config["popularity_head"] == REPLAY:
            self.replay = ReplayHead(config, dataset, self.item_embedding.embedding_dim)

    def training_targets(self, interaction: Any) -> Targets:
        """What a batch trains: the item behind each row's window, unless a model knows better."""
        hidden, plays, queries, states = self._ends(interaction)
        return Targets(hidden, interaction[self.POS_ITEM_ID], plays, queries, states)

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        hidden: Tensor = self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return hidden

    def encoded(self, interaction: Any) -> Encoded:
        """The windows of a batch with the states of all positions, for ``output: countnet``.

        Raises:
            UsageError: If the model has no such states.
        """
        raise UsageError(
            f"output: {COUNTNET} reads states of all positions, which {type(self).__name__} does not give"
        )

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Mean loss over the targets of a batch; 0 if there are none."""
        if self.replay is not None and self.EXAMPLE in interaction:
            return self.replay.loss(interaction[self.EXAMPLE], self._seen_in_inference(interaction))
        targets = self.training_targets(interaction)
        per_target = self.objective(self._scorer(targets), targets.hidden, targets.items)
        return per_target.sum() / max(len(per_target), 1)

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        if self.replay is not None:
            items = interaction[self.ITEM_ID].unsqueeze(1)
            return self.full_sort_predict(interaction).gather(1, items).squeeze(1)
        ends, items = self._ends(interaction), interaction[self.ITEM_ID].unsqueeze(1)
        return self._scorer(ends).candidates(ends.hidden, items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        if self.replay is not None:
            return self.replay.scores(interaction, self._view(interaction))
        ends = self._ends(interaction)
        return self._scorer(ends).catalogue(ends.hidden)

    def network_scores(self, interaction: Any, out: Tensor | None = None) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``; written to ``out``, if they can be."""
        if self.replay is not None:
            return self.replay.terms(interaction, self._view(interaction))["network"]
        if self.output is None:
            return self.network_scorer().catalogue(self.last_hidden(interaction), out)
        ends = self._ends(interaction)
        return self._scorer(ends)._replace(head=None).catalogue(ends.hidden)

    def popularity_scores(self, interaction: Any) -> Tensor | None:
        """The head's scores of all items, ``[B, n_items]``; ``None`` where it is switched off."""
        if self.replay is None:
            return super().popularity_scores(interaction)
        return self.full_sort_predict(interaction) - self.network_scores(interaction)

    def term_scores(self, interaction: Any) -> dict[str, Tensor]:
        """What each term gives to all items, ``[B, n_items]`` each; their sum is the score."""
        if self.replay is not None:
            return self.replay.terms(interaction, self._view(interaction))
        head = self.popularity_scores(interaction)
        network = {"network": self.network_scores(interaction)}
        return network if head is None else {**network, "head": head}

    def _view(self, interaction: Any) -> View:
        return View.of(self.last_hidden(interaction), self.network_scorer().table)

    @torch.no_grad()
    def _seen_in_inference(self, interaction: Any) -> View:
        """What the network sees of a training batch when it is not in training."""
        self.eval()
        view = self._view(interaction)
        self.train()
        return view

    def _ends(self, interaction: Any) -> Ends:
        if self.output is None:
            return Ends(self.last_hidden(interaction), *self._at_ends(interaction))
        windows, states, last = self.encoded(interaction)
        rows = torch.arange(len(last), device=last.device)
        history = HeadHistory.of_windows(windows, self.n_items)
        return Ends(states[rows, last], history.plays, history.before(rows, last + 1), states.flatten(0, 1))

    def _at_ends(self, interaction: Any) -> tuple[PlayIndex, Queries]:
        if self.output is None:
            return super()._at_ends(interaction)
        return self._ends(interaction)[1:3]  # the head counts what the layer counts

    def _scorer(self, at: Ends | Targets) -> Scorer:
        output = None
        if self.output is not None and at.states is not None:
            output = Output(self.output, at.states)
        return Scorer(self.network_scorer(), self.popularity_head, at.plays, at.queries, output)

    def network_scorer(self) -> NetworkScorer:
        """What scores hidden states, with the weights as they are now."""
        table = self.item_embedding if self.output_embedding is None else self.output_embedding
        bias = getattr(self, "output_bias", None)
        return NetworkScorer(table.weight, self.n_items, bias, self.network_weights(), self.has_sparse_tables)

    def sparse_tables(self) -> list[nn.Parameter]:
        """Parameters with sparse gradients: those that have a row for each item, or none of them."""
        names = ("item_embedding.weight", "output_embedding.weight", "output_bias")
        return [p for name, p in self.named_parameters() if self.has_sparse_tables and name in names]


@contextmanager
def _stock_loss(config: Any) -> Iterator[None]:
    """Let RecBole's constructors, which refuse all losses but CE and BPR, make a network for any loss."""
    loss_type, config["loss_type"] = config["loss_type"], "CE"
    try:
        yield
    finally:
        config["loss_type"] = loss_type
