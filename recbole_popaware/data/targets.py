"""What is to be predicted of a user: many items, each with a gain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.ragged import stretches

TARGETS = ("all", "next", "last")


class GradedPlays(NamedTuple):
    """Plays with their ratings, by user and then by time.

    Attributes:
        users: ``[T]`` user of each play.
        items: ``[T]`` its item.
        ratings: ``[T]`` its graded value: like 2, play 1, skip -1, dislike -2.
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray

    def at(self, places: np.ndarray) -> GradedPlays:
        """The plays at some places, or where a mask holds."""
        return GradedPlays(*(column[places] for column in self))


class GradedTargets(NamedTuple):
    """Distinct target items of each row, in flat arrays.

    Attributes:
        items: ``[T]`` items, row by row in order of their first play.
        gains: ``[T]`` graded relevance of each.
        starts: ``[U + 1]`` place of each row's first target; row r holds ``starts[r]:starts[r + 1]``.
    """

    items: Tensor
    gains: Tensor
    starts: Tensor

    @classmethod
    def of_users(cls, graded: GradedPlays, users: np.ndarray) -> GradedTargets:
        """Take the entries of some users, in ascending order, as rows; users without any are empty."""
        first = np.searchsorted(graded.users, users)
        sizes = np.searchsorted(graded.users, users, side="right") - first
        taken = graded.at(np.isin(graded.users, users))
        return cls(
            torch.from_numpy(np.asarray(taken.items, dtype=np.int64)),
            torch.from_numpy(np.asarray(taken.ratings, dtype=np.float32)),
            torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)),
        )

    def of_rows(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Find the targets of some rows ``[B]``: number in the batch ``[N]`` and flat place ``[N]``."""
        return stretches(self.starts[rows], self.starts[rows + 1])


def choose(plays: GradedPlays, targets: str) -> GradedPlays:
    """Keep the plays that are targets: ``all``, or each user's ``next`` or ``last`` positive play."""
    if targets == "all":
        return plays
    plays = plays.at(plays.ratings > 0)
    side = {"prepend": -1} if targets == "next" else {"append": -1}
    return plays.at(np.diff(plays.users, **side) != 0)


def grade(plays: GradedPlays) -> GradedPlays:
    """Give each distinct item of each user its gain.

    Likes and dislikes (a rating beyond 1 or -1) override plays and skips; within a kind the latest wins;
    negative gains become 0 (the published program of arXiv 2409.04329).

    Returns:
        One entry a user and item, by user and first play, with the gain in place of the rating.
    """
    n = len(plays.users)
    order = np.lexsort((np.arange(n), plays.items, plays.users))
    users, items = plays.users[order], plays.items[order]
    opens = np.flatnonzero((np.diff(users, prepend=-1) != 0) | (np.diff(items, prepend=-1) != 0))
    judged = np.abs(plays.ratings[order]) > 1
    weight = np.arange(n) + n * judged  # the latest of the stronger kind weighs most
    decisive = np.maximum.reduceat(weight, opens) % n if n else opens
    gains = np.maximum(plays.ratings[order][decisive], 0)
    entries = GradedPlays(users[opens], items[opens], gains)
    return entries.at(np.argsort(order[opens]))
