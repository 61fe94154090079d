"""What is to be predicted of a user: many items, each with a gain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.ordered import OrderedPlays
from recbole_popaware.plays.ragged import ranges

TARGETS = ("all", "plays", "next", "last")


class Gains(NamedTuple):
    """Distinct items of users with a gain each, by user.

    Attributes:
        users: ``[D]`` user of each entry.
        items: ``[D]`` its item.
        gains: ``[D]`` graded relevance of the item for the user, 0 or more.
    """

    users: np.ndarray
    items: np.ndarray
    gains: np.ndarray

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

    items: Tensor
    gains: Tensor
    starts: Tensor

    @classmethod
    def of_users(cls, gains: Gains, users: np.ndarray) -> GradedTargets:
        """Take the entries of some users, in ascending order, as rows; users without any are empty."""
        first = np.searchsorted(gains.users, users)
        sizes = np.searchsorted(gains.users, users, side="right") - first
        taken = gains.at(np.isin(gains.users, users))
        return cls(
            torch.from_numpy(np.asarray(taken.items, dtype=np.int64)),
            torch.from_numpy(np.asarray(taken.gains, dtype=np.float32)),
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
    n = len(plays.users)
    order = np.lexsort((np.arange(n), plays.items, plays.users))
    users, items = plays.users[order], plays.items[order]
    opens = np.flatnonzero((np.diff(users, prepend=-1) != 0) | (np.diff(items, prepend=-1) != 0))
    judged = np.abs(plays.ratings[order]) > 1
    weight = np.arange(n) + n * judged  # the latest of the stronger kind weighs most
    decisive = np.maximum.reduceat(weight, opens) % n if n else opens
    gains = np.maximum(plays.ratings[order][decisive], 0)
    return Gains(users[opens], items[opens], gains).at(np.argsort(order[opens]))
