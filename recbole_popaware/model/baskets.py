"""A stream of plays as baskets, as models of the next basket need.

A basket is a fixed number of successive plays, counted back from the newest, so that the oldest one may be
smaller; an item that is played several times in it counts once. ``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory


class Baskets(NamedTuple):
    """The distinct items of all baskets of B histories, E in all.

    Attributes:
        rows: ``[E]`` row of each entry, ascending.
        items: ``[E]`` its item.
        ages: ``[E]`` age of its basket in baskets, 0 for the row's newest.
        sizes: ``[B]`` number of baskets of each row.
    """

    rows: Tensor
    items: Tensor
    ages: Tensor
    sizes: Tensor

    @classmethod
    def of(
        cls, history: PlayHistory, users: Tensor, ends: Tensor, n_plays: int, newest: int | None = None
    ) -> Baskets:
        """Cut histories into baskets.

        Args:
            history: The plays.
            users: ``[B]`` user of each row.
            ends: ``[B]`` position before which the history of each row ends.
            n_plays: Plays of a basket.
            newest: Take that many newest baskets only; ``None`` takes all.
        """
        rows, positions = history.before(users, ends, newest and newest * n_plays)
        ages = (ends[rows] - 1 - positions) // n_plays
        items, sizes = history.items[positions], torch.zeros_like(ends)
        sizes.scatter_reduce_(0, rows, ages + 1, "amax")
        n_items, most = (int(of.max()) + 1 if len(of) else 1 for of in (items, ages))
        keys = torch.unique((rows * most + ages) * n_items + items)
        baskets = keys // n_items
        return cls(baskets // most, keys % n_items, baskets % most, sizes)
