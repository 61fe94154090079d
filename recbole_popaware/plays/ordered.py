"""All plays of a log in exact order.

Shapes: P plays; see docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

_ONES = np.array([byte.bit_count() for byte in range(256)])


class OrderedPlays(NamedTuple):
    """Some plays by user and then by time; plays of a user at one time keep the order of the log.

    Attributes:
        users: ``[P]`` user of each play.
        items: ``[P]`` its item.
        times: ``[P]`` its time, as exact as the log has it.
        ratings: ``[P]`` its graded value: like 2, play 1, skip -1, dislike -2.
    """

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray

    @property
    def positive(self) -> np.ndarray:
        """Which plays have a rating above 0, ``[P]``: histories hold these only."""
        return self.ratings > 0

    def at(self, index: np.ndarray) -> OrderedPlays:
        """The plays at some positions, or those that a mask ``[P]`` chooses."""
        return OrderedPlays(*(column[index] for column in self))


@dataclass(frozen=True)
class PlayLog:
    """All plays of a log in the order of :class:`OrderedPlays`; the columns may lie in a file.

    Attributes:
        starts: ``[n_users + 1]`` offset of each user's first play.
        items: ``[P]`` item of each play.
        times: ``[P]`` its time.
        ratings: ``[P]`` its graded value; ``None``: each is a play like any other.
    """

    starts: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray | None = None

    @cached_property
    def all_positive(self) -> bool:
        """Whether no rating is 0 or less."""
        return self.ratings is None or bool((self.ratings > 0).all())

    @cached_property
    def _positive(self) -> tuple[np.ndarray, np.ndarray]:
        """For each eight plays: which are positive, as bits, and how many positive ones are before them."""
        assert self.ratings is not None  # noqa: S101  # asked only if some rating is 0 or less
        bits = np.append(np.packbits(self.ratings > 0, bitorder="little"), np.uint8(0))
        return bits, np.cumsum(_ONES[bits]) - _ONES[bits]

    def positive_before(self, positions: np.ndarray) -> np.ndarray:
        """How many positive plays are before some positions: the positions themselves if all plays are."""
        if self.all_positive:
            return positions
        bits, before = self._positive
        eight, inside = positions >> 3, (1 << (positions & 7)) - 1
        n_before: np.ndarray = before[eight] + _ONES[bits[eight] & inside]
        return n_before

    @cached_property
    def positive_part(self) -> PlayLog:
        """The log of the positive plays only."""
        if self.all_positive or self.ratings is None:
            return self
        positive = self.ratings > 0
        columns = (column[positive] for column in (self.items, self.times, self.ratings))
        return PlayLog(self.positive_before(self.starts), *columns)

    def first_since(self, time: float) -> np.ndarray:
        """Position of each user's first play at or after a time, or behind the last one: ``[n_users]``.

        The search reads a few plays of each user.
        """
        first, ends = self.starts[:-1].copy(), self.starts[1:].copy()
        while len(searched := np.flatnonzero(first < ends)):
            middle = (first[searched] + ends[searched]) // 2
            earlier = self.times[middle] < time
            first[searched[earlier]] = middle[earlier] + 1
            ends[searched[~earlier]] = middle[~earlier]
        return first

    def between(self, first: np.ndarray, ends: np.ndarray) -> OrderedPlays:
        """The plays at positions from ``first`` to before ``ends`` of each user, both ``[n_users]``."""
        positions = self.positions(first, ends)
        users, n = np.repeat(np.arange(len(first)), np.maximum(ends - first, 0)), len(positions)
        ratings = np.broadcast_to(1.0, n) if self.ratings is None else self.ratings[positions].astype(float)
        items, times = self.items[positions].astype(np.int64), self.times[positions].astype(np.float64)
        return OrderedPlays(users, items, times, ratings)

    @staticmethod
    def positions(first: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The positions from each of ``first`` to before each of ``ends``, one range after the other."""
        sizes = np.maximum(ends - first, 0)
        shift = first - (np.cumsum(sizes) - sizes)
        positions: np.ndarray = np.repeat(shift, sizes) + np.arange(sizes.sum())
        return positions


def exact_order(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Positions ``[P]`` that put plays in the order of :class:`OrderedPlays`."""
    return np.lexsort((times, users))
