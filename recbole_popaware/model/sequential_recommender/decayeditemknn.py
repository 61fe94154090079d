"""Items like those played lately, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.neighbours import Entries, NeighbourModel
from recbole_popaware.model.sequential_recommender.decaypop import faded_by_hours


class DecayedItemKNN(NeighbourModel):
    """Item-based neighbours with a fading memory, an item being its own neighbour too; nothing is learned.

    The ItemKNN of the benchmark of Yambda (arXiv 2505.22238). An item's vector has its training plays by each
    user; a user's vector is the sum of those of the items played, weighed ``0.9 ^ (age / decay_hours)`` with
    the age of a play in hours before the newest one in the row's history; the score of an item is the scalar
    product of both over the length of its vector (the benchmark's cosine but for a factor a row, which
    changes no order). Nothing is cut off: every item is a neighbour of every other and of itself, so that
    what was played often and lately ranks high. Items without a training play get -inf, as in the benchmark.
    """

    lengths: Tensor

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.decay_hours: float = config["decay_hours"]
        rows, positions = self.history.before(self.neighbours, self._neighbours_ends)
        plays = Entries(rows, self.history.items[positions], torch.ones(len(rows)))
        self.trained = self.profiles(plays)
        self.register_buffer("lengths", self.trained.squared("item").sqrt(), persistent=False)  # [n_items]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        users, ends = self.histories(interaction)
        rows, positions = self.history.before(users, ends)
        age = self.times[ends[rows] - 1] - self.times[positions]
        weights = faded_by_hours(age, self.decay_hours)
        own = Entries(rows, self.history.items[positions], weights).dense(len(users), self.n_items)
        scores = self.trained.sums(self.trained.products(own)) / self.lengths
        return scores.masked_fill_(self.lengths == 0, -torch.inf)
