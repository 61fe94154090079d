"""What a sequential model of RecBole needs to carry the popularity head, in training and in inference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from recbole.utils import InputType
from torch import Tensor, nn

from recbole_popaware.model.head_carrier import HeadCarrier
from recbole_popaware.model.heads import REPLAY
from recbole_popaware.model.initialisation import initialise
from recbole_popaware.model.objective import Targets, make_objective
from recbole_popaware.model.replay_head import ReplayHead
from recbole_popaware.model.scorer import NetworkScorer, Scorer
from recbole_popaware.replay.network import View


class PopularityAware(HeadCarrier):
    """Mixin before a sequential model of RecBole; differs from stock in what follows.

    * The head's scores are added to the network's, in training and in inference.
    * The loss may be any of :data:`~.losses.LOSS_TYPES`; negatives are drawn here, on the model's device.
    * ``share_embeddings: False`` gives the scores an item table of their own.
    * ``initializer`` may draw the first weights in other ways than stock's (:mod:`~.initialisation`).

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
        initialise(self, config["initializer"])
        self.EXAMPLE: str = config["EXAMPLE_FIELD"]
        self.replay: ReplayHead | None = None
        if config["popularity_head"] == REPLAY:
            self.replay = ReplayHead(config, dataset, self.item_embedding.embedding_dim)

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
        if self.replay is not None and self.EXAMPLE in interaction:
            return self.replay.loss(interaction[self.EXAMPLE], self._seen_in_inference(interaction))
        hidden, items, plays, queries = self.training_targets(interaction)
        scorer = Scorer(self.network_scorer(), self.popularity_head, plays, queries)
        per_target = self.objective(scorer, hidden, items)
        return per_target.sum() / max(len(per_target), 1)

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        if self.replay is not None:
            items = interaction[self.ITEM_ID].unsqueeze(1)
            return self.full_sort_predict(interaction).gather(1, items).squeeze(1)
        scorer = Scorer(self.network_scorer(), self.popularity_head, *self._at_ends(interaction))
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return scorer.candidates(self.last_hidden(interaction), items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        if self.replay is not None:
            return self.replay.scores(interaction, self._view(interaction))
        scores = self.network_scores(interaction)
        if self.popularity_head is None:
            return scores
        return self.popularity_head.add_to_(scores, *self._at_ends(interaction))

    def network_scores(self, interaction: Any, out: Tensor | None = None) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``; written to ``out``, if they can be."""
        if self.replay is not None:
            return self.replay.terms(interaction, self._view(interaction))["network"]
        return self.network_scorer().catalogue(self.last_hidden(interaction), out)

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

    def network_scorer(self) -> NetworkScorer:
        """What scores hidden states, with the weights as they are now."""
        table = self.item_embedding if self.output_embedding is None else self.output_embedding
        return NetworkScorer(
            table.weight[: self.n_items],  # BERT4Rec's holds its mask as well
            getattr(self, "output_bias", None),
            self.network_weights(),
        )


@contextmanager
def _stock_loss(config: Any) -> Iterator[None]:
    """Let RecBole's constructors, which refuse all losses but CE and BPR, make a network for any loss."""
    loss_type, config["loss_type"] = config["loss_type"], "CE"
    try:
        yield
    finally:
        config["loss_type"] = loss_type
