"""How often each row's history has each item: distinct items of histories as sorted keys.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.ragged import look_up_keys, row_keys


class ItemCounts(NamedTuple):
    """The distinct items of B histories, D in all, by row and then by item.

    Attributes:
        keys: ``[D]`` ``row * n_items + item``, ascending.
        plays: ``[D]`` how often the row's history has the item, at least once.
        oldest: ``[D]`` position of the item's first play there, in the store that was counted.
        newest: ``[D]`` position of its last one.
        n_items: Size of the catalogue with the padding id 0.
    """

    keys: Tensor
    plays: Tensor
    oldest: Tensor
    newest: Tensor
    n_items: int

    @classmethod
    def of(cls, keys: Tensor, positions: Tensor, n_items: int) -> ItemCounts:
        """Count plays.

        Args:
            keys: ``[P]`` ``row * n_items + item`` of each play.
            positions: ``[P]`` position of each play, ascending within a row.
            n_items: As the attribute.
        """
        keys, order = torch.sort(keys, stable=True)
        keys, plays = torch.unique_consecutive(keys, return_counts=True)
        ends, positions = plays.cumsum(0), positions[order]
        return cls(keys, plays, positions[ends - plays], positions[ends - 1], n_items)

    @classmethod
    def none(cls, n_items: int) -> ItemCounts:
        """No play of anybody."""
        nothing = torch.empty(0, dtype=torch.int64)
        return cls(nothing, nothing, nothing, nothing, n_items)

    @property
    def rows(self) -> Tensor:
        """Row of each pair, ``[D]``."""
        return self.keys // self.n_items

    @property
    def items(self) -> Tensor:
        """Item of each pair, ``[D]``."""
        return self.keys % self.n_items

    def of_items(self, items: Tensor) -> Tensor:
        """Plays of items ``[B, K]`` in their own rows, ``[B, K]``; 0 for what was never played."""
        return look_up_keys(row_keys(items, self.n_items), self.keys, self.plays)

    def total(self, n_rows: int) -> Tensor:
        """All plays of each of B rows, ``[B]``."""
        return self.plays.new_zeros(n_rows).index_add(0, self.rows, self.plays)

    def to(self, device: torch.device) -> ItemCounts:
        """The same on another device."""
        keys, plays, oldest, newest = (column.to(device) for column in self[:4])
        return ItemCounts(keys, plays, oldest, newest, self.n_items)
