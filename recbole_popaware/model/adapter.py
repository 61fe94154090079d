"""The popularity head on RecBole's own sequential models, whose code stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from recbole.data.interaction import Interaction
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from recbole_popaware.model.head_carrier import HeadCarrier

_LEAST = 1e-8  # what RecBole's models add to a probability before they take its logarithm

Join = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Backbone(NamedTuple):
    """What the adapter must know of a model of RecBole.

    Attributes:
        name: Its name there.
        losses: The values of ``loss_type`` that it learns by.
        loss: Its attribute with the loss: a call with scores of the catalogue ``[B, n_items]`` and the
            targets ``[B]`` (CE), or with scores of the targets and of the negatives ``[B]`` (BPR).
        probabilities: Whether it scores items by probabilities, whose logarithms enter the loss.
    """

    name: str
    losses: tuple[str, ...] = ("CE", "BPR")
    loss: str = "loss_fct"
    probabilities: bool = False


class JointLoss(nn.Module):
    """A model's loss, over its scores joined with others.

    Args:
        loss: The model's own.
    """

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.loss = loss
        self._join: Join | None = None

    @contextmanager
    def joining(self, join: Join) -> Iterator[None]:
        """Let ``join`` change what the loss is called with; without it, scores pass as they are."""
        self._join = join
        try:
            yield
        finally:
            self._join = None

    def forward(self, scores: Tensor, other: Tensor, **options: Any) -> Tensor:
        """The loss; ``other`` are the targets, or the scores of the negatives."""
        if self._join is not None:
            scores, other = self._join(scores, other)
        return self.loss(scores, other, **options)


class HeadAdapter(HeadCarrier):
    """Mixin before a sequential model of RecBole; differs from stock in what follows.

    * The head's scores are added to the model's own, in training and in inference. In training that is
      where the model calls its loss, so that whatever else it minimises (regularisation, contrastive
      losses) stays.
    * A model that scores by probabilities is taken to score by their logarithms.
    * Users that the training did not know are padding for the network; the head counts their plays.

    With ``popularity_head: none``, and no weight of the network's scores, nothing differs to the last bit.
    It takes every model that a :class:`Backbone` describes; :mod:`~.on_demand` lists those of RecBole.
    """

    backbone: ClassVar[Backbone]

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.carry_head(config, dataset)
        self._n_users: int = dataset.user_num
        weighed = self.network_weight is not None or self.inference_weight is not None
        self.is_stock = self.popularity_head is None and not weighed
        self._learns_pairs = (config["loss_type"] or self.backbone.losses[0]) == "BPR"
        if not self.is_stock:
            setattr(self, self.backbone.loss, JointLoss(getattr(self, self.backbone.loss)))

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Stock's loss, over joint scores."""
        if self.is_stock:
            loss: Tensor = super().calculate_loss(interaction)
            return loss
        join = self._join_pairs if self._learns_pairs else self._join_catalogue
        with getattr(self, self.backbone.loss).joining(partial(join, interaction)):
            loss = super().calculate_loss(interaction)
        return loss

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        known = self._of_known_users(interaction)
        if self.is_stock:
            scores: Tensor = super().predict(known)
            return scores
        items = interaction[self.ITEM_ID].unsqueeze(1)
        if self.backbone.probabilities:  # RecBole's CPR models score whole catalogues only
            return self.full_sort_predict(interaction).gather(1, items).squeeze(1)
        return self._weighed(super().predict(known).view(-1)) + self._head_of(interaction, items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        return self._with_head(self.network_scores(interaction), interaction)

    def network_scores(self, interaction: Any) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``."""
        known = self._of_known_users(interaction)
        scores: Tensor = super().full_sort_predict(known).view(len(interaction), -1)
        if self.is_stock:
            return scores
        return self._weighed((scores + _LEAST).log() if self.backbone.probabilities else scores)

    def _join_catalogue(self, interaction: Any, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        joint = self._with_head(self._weighed(scores), interaction)
        return log_softmax(joint, dim=-1) if self.backbone.probabilities else joint, targets

    def _join_pairs(self, interaction: Any, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        items = torch.stack([interaction[self.POS_ITEM_ID], interaction[self.NEG_ITEM_ID]], dim=1)
        of_head = self._head_of(interaction, items)
        return (
            self._weighed(positive) + of_head[:, 0].view_as(positive),
            self._weighed(negative) + of_head[:, 1].view_as(negative),
        )

    def _with_head(self, scores: Tensor, interaction: Any) -> Tensor:
        if self.popularity_head is None:
            return scores
        return self.popularity_head.add_to_(scores, *self._at_ends(interaction))

    def _head_of(self, interaction: Any, items: Tensor) -> Tensor:
        """The head's scores ``[B, K]`` of items ``[B, K]``; zeros where it is switched off."""
        if self.popularity_head is None:
            return torch.zeros(items.shape, device=items.device)
        return self.popularity_head.candidates(*self._at_ends(interaction), items)

    def _weighed(self, scores: Tensor) -> Tensor:
        """The network's scores as they count, in float32 also where autocast halves them."""
        scores = scores if scores.dtype == torch.float64 else scores.float()
        for weight in self.network_weights():
            scores = scores * weight
        return scores

    def _of_known_users(self, interaction: Any) -> Any:
        columns = interaction.interaction
        users = columns.get(self.USER_ID)  # rows made by hand for a model that reads no users may lack them
        if users is None:
            return interaction
        return Interaction({**columns, self.USER_ID: users.where(users < self._n_users, 0)})
