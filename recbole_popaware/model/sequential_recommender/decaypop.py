"""Global popularity that fades with time, without a network."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.neighbours import NeighbourModel

DECAY = 0.9  # what is left of a play's weight after decay_hours (the benchmark's)


class DecayPop(NeighbourModel):
    """Every user gets the items whose training plays are many and recent; nothing is learned.

    A play weighs ``0.9 ^ (age / decay_hours)``, its age in hours before the latest training play of anybody,
    as in the benchmark of Yambda (arXiv 2505.22238), which chooses ``decay_hours`` on its validation day.
    Scores are ``ln`` of an item's summed weights over those of the first item, and -inf for items without a
    training play: they are not recommended, as in the benchmark.
    """

    strength: Tensor

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        _, positions = self.history.before(self.neighbours, self._neighbours_ends)
        items, times = self.history.items[positions], self.times[positions]
        weights = faded_by_hours(times.max() - times, config["decay_hours"])
        sums = weights.new_zeros(self.n_items).index_add_(0, items, weights)
        self.register_buffer("strength", (sums / sums.max()).log().float())  # [n_items]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        return self.strength.repeat(len(interaction), 1)


def faded_by_hours(age: Tensor, hours: float) -> Tensor:
    """Weight of plays some seconds ago: 1 now, :data:`DECAY` after ``hours``; in float64."""
    return torch.exp(age.double() * (math.log(DECAY) / (3600 * hours)))
