"""Moments at which lists are asked for, and the record of every item that was played before them.

``docs/glossary.md`` lists the shape letters; here Q counts moments, D the pairs of a moment and an item that
was played before it, and E the plays of all pairs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import from_zero

HOUR = 3600.0


def moved(parts: Any, device: torch.device) -> Any:
    """A tuple of tensors, numbers and such tuples on another device."""
    if isinstance(parts, Tensor):
        return parts.to(device)
    if isinstance(parts, tuple):
        return type(parts)(*(moved(part, device) for part in parts))
    return parts


class Moments(NamedTuple):
    """Moments in users' histories.

    Attributes:
        users: ``[Q]`` user of each.
        ends: ``[Q]`` position in the store before which plays are known.
        now: ``[Q]`` time of each in seconds, not before its newest play.
    """

    users: Tensor
    ends: Tensor
    now: Tensor

    def at(self, index: Tensor | slice) -> Moments:
        """Some of the moments."""
        return Moments(*(column[index] for column in self))


class Records(NamedTuple):
    """The distinct items of each moment's history, by moment and item, and all their plays.

    Attributes:
        n_items: Size of the catalogue with the padding id 0.
        keys: ``[D]`` ``moment * n_items + item``, ascending.
        offsets: ``[D + 1]`` where the plays of each pair begin.
        pair: ``[E]`` pair of each play.
        positions: ``[E]`` position of each play in the store, ascending within a pair.
        ages: ``[E]`` age in plays, 1 for the newest play before the moment.
        hours: ``[E]`` age in hours, from 0.
        starts: ``[Q]`` position of each history's first play.
        moments: The moments.
    """

    n_items: int
    keys: Tensor
    offsets: Tensor
    pair: Tensor
    positions: Tensor
    ages: Tensor
    hours: Tensor
    starts: Tensor
    moments: Moments

    @classmethod
    def of(cls, store: PlayHistory, moments: Moments, n_items: int) -> Records:
        """Collect the plays before moments.

        Raises:
            ValueError: If the store keeps no times.
        """
        rows, positions = store.before(moments.users, moments.ends)
        keys, order = torch.sort(rows * n_items + store.items[positions], stable=True)
        keys, pair, sizes = torch.unique_consecutive(keys, return_inverse=True, return_counts=True)
        rows, positions = rows[order], positions[order]
        ages = (moments.ends[rows] - positions).to(torch.float32)
        seconds = (moments.now[rows] - store.timed()[positions]).clamp_(min=0)
        hours = (seconds / HOUR).to(torch.float32)
        starts = store.starts[moments.users]
        return cls(n_items, keys, from_zero(sizes.cumsum(0)), pair, positions, ages, hours, starts, moments)

    @property
    def rows(self) -> Tensor:
        """Moment of each pair, ``[D]``."""
        return self.keys // self.n_items

    @property
    def items(self) -> Tensor:
        """Item of each pair, ``[D]``."""
        return self.keys % self.n_items

    @property
    def plays(self) -> Tensor:
        """Plays of each pair, ``[D]``, at least 1."""
        return self.offsets.diff()

    @property
    def lengths(self) -> Tensor:
        """Plays of each moment's history, ``[Q]``."""
        return self.moments.ends - self.starts

    def total(self, weights: Tensor) -> Tensor:
        """Sum weights of plays ``[E]`` over each pair, ``[D]``."""
        return weights.new_zeros(len(self.keys)).index_add_(0, self.pair, weights)

    def sum_at(self, keys: Tensor, values: Tensor) -> Tensor:
        """Sum values ``[A]`` at the pairs of their keys ``[A]``, which must all be known, ``[D]``."""
        index = torch.searchsorted(self.keys, keys)
        return values.new_zeros(len(self.keys)).index_add_(0, index, values)

    def find(self, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """The plays of items in the histories of moments.

        Args:
            rows: ``[A]`` moments.
            items: ``[A]`` items.

        Returns:
            Where their plays begin and end among all, ``[A]`` each; an empty range if there are none.
        """
        keys = rows * self.n_items + items
        index = torch.searchsorted(self.keys, keys).clamp_(max=max(len(self.keys) - 1, 0))
        known = self.keys[index] == keys
        return self.offsets[index], self.offsets[index + 1].where(known, self.offsets[index])
