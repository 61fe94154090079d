"""Personalised popularity with a fading memory alone, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.recency_head import faded
from recbole_popaware.model.sequential_recommender.personalizedmostpop import (
    PersonalizedMostPop,
    popularity_ranks,
)


class DecayedMostPop(PersonalizedMostPop):
    """A user's own items by ``ln(eps + sum of w(age))``, then the globally popular ones; nothing is learned.

    Age is in plays, 1 for the newest; w is :func:`~.recency_head.faded`, ``age^-d`` by default. It is what
    the learned head has to beat. Scores are those of the head, measured against an item never played; what
    the user never played lies below 0, by global popularity.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.decay: float = config["pps_decay"] or 0.0
        self.offset: float = config["pps_offset"] or 0.0
        self.epsilon: float = config["pps_epsilon"]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        scores = (popularity_ranks(self.item_plays) / self.n_items - 1).repeat(len(interaction), 1)
        self.history = self.history.to(scores.device)  # moves it once only
        users, ends = interaction[self.USER_ID], interaction[self.END]
        rows, positions = self.history.before(users, ends, self.history_window)
        weights = faded(ends[rows] - positions, self.decay, self.offset)
        played = rows, self.history.items[positions]
        strength = torch.zeros_like(scores).index_put(played, weights, accumulate=True)
        return torch.where(strength > 0, torch.log1p(strength / self.epsilon), scores)
