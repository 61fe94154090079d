"""Items like those played lately, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.neighbours import Entries, NeighbourModel
from recbole_popaware.plays.fading import faded_by_hours


class DecayedItemKNN(NeighbourModel):
    """Item-based neighbours with a fading memory, an item being its own neighbour too; nothing is learned.

    The ItemKNN of the benchmark of Yambda (arXiv 2505.22238). An item's vector has its training plays by each
    user; a user's vector is the sum of those of the items played, weighed ``0.9 ^ (age / decay_hours)`` with
    the age of a play in hours before the newest one in the row's history; the score of an item is the scalar
    product of both, where the plays by a user are divided by the length of all plays by that user. So says
    the program; its text calls it a cosine, which would divide by the length of the item's vector. Nothing is
    cut off: every item is a neighbour of every other and of itself, so that what was played often and lately
    ranks high. Items without a training play get -inf, as in the benchmark.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.decay_hours: float = config["decay_hours"]
        rows, positions = self.history.before(self.neighbours, self._neighbours_ends)
        plays = Entries(rows, self.history.items[positions], torch.ones(len(rows)))
        self.trained = self.profiles(plays)
        self.register_buffer("lengths", self.trained.squared().sqrt(), persistent=False)  # [U]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        users, ends = self.histories(interaction)
        rows, positions = self.history.before(users, ends)
        age = self.times[ends[rows] - 1] - self.times[positions]
        weights = faded_by_hours(age, self.decay_hours)
        own = Entries(rows, self.history.items[positions], weights).dense(len(users), self.n_items)
        scores = self.trained.sums(self.trained.products(own) / self.lengths)
        return scores.masked_fill_(self.item_plays == 0, -torch.inf)
