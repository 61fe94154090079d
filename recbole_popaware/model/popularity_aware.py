"""What a sequential model of RecBole needs to carry the popularity head, in training and in inference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recbole.utils import InputType
from torch import Tensor, nn

from recbole_popaware.model.head_carrier import HeadCarrier
from recbole_popaware.model.initialisation import initialise
from recbole_popaware.model.objective import Targets, make_objective
from recbole_popaware.model.scorer import NetworkScorer, Scorer


class PopularityAware(HeadCarrier):
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
        self.NEXT_ITEMS: str = config["NEXT_ITEMS_FIELD"]
        self.carry_head(config, dataset)
        self.objective = make_objective(config, dataset, normalised=self.popularity_head is not None)
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
