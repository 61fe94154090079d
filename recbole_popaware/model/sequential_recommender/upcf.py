"""Recent popularity with the user and with similar users, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.baskets import Baskets
from recbole_popaware.model.neighbours import Entries, NeighbourModel


class UPCF(NeighbourModel):
    """User-wise popularity with neighbours, UP-CF (Faggioli et al., UMAP 2020); nothing is learned.

    The history is cut into baskets of ``basket_plays`` plays (:mod:`~recbole_popaware.model.baskets`). An
    item's popularity with a user is the share of the ``recent_baskets`` newest baskets (all: empty) that have
    it. Scores are the sum of all users' popularities, weighed ``similarity ^ locality``; the similarity of a
    user with items I to another one with items J is ``|I & J| / (|I|^asymmetry |J|^(1 - asymmetry))``, and 1
    to oneself.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.basket_plays: int = config["basket_plays"]
        self.recent_baskets: int | None = config["recent_baskets"]
        self.asymmetry: float = config["asymmetry"]
        self.locality: float = config["locality"]
        users, ends = self.neighbours, self._neighbours_ends
        self.trained = self.profiles(self._popularity(users, ends))
        self.played = self.profiles(self._played(users, ends))
        self.register_buffer("n_played", self.played.squared(), persistent=False)  # [U] distinct items

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        users, ends = self.histories(interaction)
        own = self._played(users, ends).dense(len(users), self.n_items)
        common, n_own = self.played.products(own), own.sum(dim=1, keepdim=True)
        alike = common / (n_own**self.asymmetry * self.n_played ** (1 - self.asymmetry)).clamp(min=1)
        alike = alike.masked_fill(self.is_oneself(users), 0.0) ** self.locality
        popularity = self._popularity(users, ends).dense(len(users), self.n_items)
        return popularity + self.trained.sums(alike)

    def _popularity(self, users: Tensor, ends: Tensor) -> Entries:
        baskets = Baskets.of(self.history, users, ends, self.basket_plays, self.recent_baskets)
        return Entries(baskets.rows, baskets.items, 1 / baskets.sizes[baskets.rows].double())

    def _played(self, users: Tensor, ends: Tensor) -> Entries:
        counts = self.history.counts(users, ends, self.n_items)
        return Entries(counts.rows, counts.items, torch.ones_like(counts.plays))
