"""A user's own items and those of similar users, by counts that fade in two steps, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.model.baskets import Baskets
from recbole_popaware.model.neighbours import Entries, NeighbourModel


class TIFUKNN(NeighbourModel):
    """Temporal item frequency with k nearest users (Hu et al., SIGIR 2020); nothing is learned.

    The history is cut into baskets of ``basket_plays`` plays (:mod:`~recbole_popaware.model.baskets`), and
    these into ``basket_groups`` groups of equal number, newer groups having one more where it does not come
    out even (of fewer baskets each is a group). An item's weight in the profile is the mean over groups of
    ``group_decay ^ (age of the group)`` times the mean over its baskets of ``within_decay ^ (age in the
    group)``, 0 where the basket lacks the item. Scores are ``own_share`` times the user's profile plus the
    rest times the mean profile of the ``n_neighbours`` users whose training profiles are nearest (Euclidean).

    The decay within groups begins anew in each group, as in the paper; its program lets it run over the
    whole history.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.basket_plays: int = config["basket_plays"]
        self.basket_groups: int = config["basket_groups"]
        self.within_decay: float = config["within_decay"]
        self.group_decay: float = config["group_decay"]
        self.own_share: float = config["own_share"]
        self.n_neighbours: int = config["n_neighbours"]
        self.trained = self.profiles(self._entries(self.neighbours, self._neighbours_ends))
        self.register_buffer("trained_squared", self.trained.squared(), persistent=False)  # [U]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        users, ends = self.histories(interaction)
        own = self._entries(users, ends).dense(len(users), self.n_items)
        # Euclidean, up to a constant of the row
        far = self.trained_squared - 2 * self.trained.products(own)
        far = far.masked_fill(self.is_oneself(users), torch.inf)
        far, nearest = far.topk(min(self.n_neighbours, far.size(1)), largest=False)
        others = torch.isfinite(far).float()
        mean = others / others.sum(dim=1, keepdim=True).clamp(min=1)
        weights = torch.zeros(len(users), len(self.neighbours), device=own.device).scatter_(1, nearest, mean)
        return self.own_share * own + (1 - self.own_share) * self.trained.sums(weights)

    def _entries(self, users: Tensor, ends: Tensor) -> Entries:
        baskets = Baskets.of(self.history, users, ends, self.basket_plays)
        n_groups = baskets.sizes.clamp(min=1, max=self.basket_groups)
        size, larger = baskets.sizes // n_groups, baskets.sizes % n_groups  # groups with one basket more
        n_groups, size, larger = (column[baskets.rows] for column in (n_groups, size, larger))
        in_smaller = baskets.ages - larger * (size + 1)
        is_larger = in_smaller < 0
        size = size + is_larger.long()
        age = baskets.ages.where(is_larger, in_smaller)
        group_age = age // size + larger.where(~is_larger, 0)
        weights = self.within_decay ** (age % size).double() * self.group_decay ** group_age.double()
        return Entries(baskets.rows, baskets.items, weights / (size * n_groups))
