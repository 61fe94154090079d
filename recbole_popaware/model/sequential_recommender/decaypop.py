"""Global popularity that fades with time, without a network."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recbole_popaware.model.neighbours import NeighbourModel
from recbole_popaware.plays.fading import faded_plays


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
        sums = faded_plays(self.history, dataset.training_ends(), self.n_items, config["decay_hours"])
        self.register_buffer("strength", (sums / sums.max()).log().float())  # [n_items]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        return self.strength.repeat(len(interaction), 1)
