"""What is to be predicted of a user: many items, each with a gain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.columns import LazyColumn, column_of
from recbole_popaware.plays.log_file import narrow
from recbole_popaware.plays.ordered import OrderedPlays
from recbole_popaware.plays.ragged import ranges

TARGETS = ("all", "plays", "next", "last")


class Gains(NamedTuple):
    """Distinct items of users with a gain each, by user.

    Attributes:
        users: ``[D]`` user of each entry.
        items: ``[D]`` its item.
        gains: ``[D]`` graded relevance of the item for the user, 0 or more.
        plays: ``[D]`` how many positive plays of the item are among the user's targets.
    """

    users: np.ndarray
    items: np.ndarray
    gains: np.ndarray
    plays: np.ndarray

    def at(self, index: np.ndarray) -> Gains:
        """The entries at some indices, or those that a mask ``[D]`` chooses."""
        return Gains(*(column[index] for column in self))


class GradedTargets(NamedTuple):
    """Distinct target items of each row, in flat arrays.

    Attributes:
        items: ``[T]`` items, row by row in order of their first play.
        gains: ``[T]`` graded relevance of each.
        starts: ``[R + 1]`` offset of each row's first target; row r has ``starts[r]:starts[r + 1]``.
    """

    items: Tensor | LazyColumn
    gains: Tensor | LazyColumn
    starts: Tensor

    @classmethod
    def of_sizes(cls, items: np.ndarray, gains: np.ndarray, sizes: np.ndarray) -> GradedTargets:
        """Targets ``[T]``, kept in five bytes each where that holds them, of rows with ``sizes`` ``[R]``."""
        return cls(
            column_of(narrow(items, (np.int32, np.int64)), torch.int64),
            column_of(narrow(gains), torch.float32),
            torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)),
        )

    def of_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Find the targets of some rows ``[B]``: index in the batch ``[T]`` and position ``[T]``."""
        return ranges(self.starts[rows], self.starts[rows + 1])


def choose(plays: OrderedPlays, targets: str) -> OrderedPlays:
    """Keep the plays that are targets.

    Args:
        plays: Those of a part.
        targets: ``all``; ``plays``: the positive ones; ``next`` or ``last``: one positive play of each user.
    """
    if targets == "all":
        return plays
    plays = plays.at(plays.positive)
    if targets == "plays":
        return plays
    side = {"prepend": -1} if targets == "next" else {"append": -1}
    return plays.at(np.diff(plays.users, **side) != 0)


def grade(plays: OrderedPlays) -> Gains:
    """Give each distinct item of each user its gain.

    Likes and dislikes (a rating beyond 1 or -1) override plays and skips; within a kind the latest wins;
    negative gains become 0 (the published program of arXiv 2409.04329).

    Returns:
        One entry a user and item, by user and first play.
    """
    n, width = len(plays.users), 1 + plays.items.max(initial=0)
    order = np.argsort(plays.users * width + plays.items, kind="stable")
    users, items, ratings = plays.users[order], plays.items[order], plays.ratings[order]
    opens = np.flatnonzero((np.diff(users, prepend=-1) != 0) | (np.diff(items, prepend=-1) != 0))
    if not n:
        return Gains(users, items, ratings, opens)
    weight = np.arange(n) + n * (np.abs(ratings) > 1)  # the latest of the stronger kind weighs most
    decisive = np.maximum.reduceat(weight, opens) % n
    gains = np.maximum(ratings[decisive], 0)
    positive = np.add.reduceat((ratings > 0).astype(np.int64), opens)
    return Gains(users[opens], items[opens], gains, positive).at(np.argsort(order[opens]))
