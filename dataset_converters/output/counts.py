"""What a data set's statistics are made from, counted a group of users at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset_converters.events.chunks import Longs, Plays

MOST_RATINGS = 20


@dataclass(frozen=True)
class GroupCounts:
    """Counts of all plays of some users, none of whose plays are elsewhere.

    Attributes:
        per_user: Plays of each user.
        items: Codes of the items of all plays.
        pairs: Distinct pairs of user and item.
        positive_pairs: Those with a rating above 0.
        positive_plays: Plays with a rating above 0.
        distinct: Plays without those alike in user, item, time and rating to another.
        times: First and last time, microseconds since 1970.
        ratings: Plays of each rating; ``None`` if there are more than ``MOST_RATINGS``.
    """

    per_user: Longs
    items: npt.NDArray[np.int32]
    pairs: int
    positive_pairs: int
    positive_plays: int
    distinct: int
    times: tuple[int, int]
    ratings: dict[float, int] | None


class Counts:
    """Counts of a whole data set, the sum of its groups.

    Args:
        items: How many codes of items there are.
    """

    def __init__(self, items: int) -> None:
        self._per_user: list[Longs] = []
        self._per_item: Longs = np.zeros(items, np.int64)
        self._ratings: Counter[float] | None = Counter()
        self.pairs = self.positive_pairs = self.positive_plays = self.distinct = 0
        self.times: tuple[int, ...] = ()  # first and last

    def add(self, group: GroupCounts) -> None:
        """Add a group of users that were not there before."""
        self._per_user.append(group.per_user)
        np.add.at(self._per_item, group.items, 1)
        self._ratings = _add_ratings(self._ratings, group.ratings)
        self.pairs += group.pairs
        self.positive_pairs += group.positive_pairs
        self.positive_plays += group.positive_plays
        self.distinct += group.distinct
        first, last = self.times or group.times
        self.times = min(first, group.times[0]), max(last, group.times[1])

    @property
    def per_user(self) -> Longs:
        """Plays of each user, rising."""
        return np.sort(np.concatenate(self._per_user))

    @property
    def per_item(self) -> Longs:
        """Plays of each item that has any."""
        return self._per_item[self._per_item > 0]

    @property
    def ratings(self) -> dict[float, int] | None:
        """Plays of each rating, rising; ``None`` if there are more than ``MOST_RATINGS``."""
        return None if self._ratings is None else dict(sorted(self._ratings.items()))


def count_group(plays: Plays) -> GroupCounts:
    """Count.

    Args:
        plays: At least one event, sorted by user and time.
    """
    users = np.flatnonzero(np.diff(plays.user, prepend=-1))
    positive = plays.rating > 0
    pairs, positive_pairs = _count_pairs(plays, positive)
    return GroupCounts(
        per_user=np.diff(users, append=len(plays)),
        items=plays.item,
        pairs=pairs,
        positive_pairs=positive_pairs,
        positive_plays=int(np.count_nonzero(positive)),
        distinct=len(plays) - _count_alike(plays),
        times=(int(plays.time_us.min()), int(plays.time_us.max())),
        ratings=_count_ratings(plays.rating),
    )


def _count_pairs(plays: Plays, positive: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Count pairs of user and item, and those among them with a positive play."""
    user = plays.user - plays.user[0]
    items = int(plays.item.max()) + 1
    # Numbers of 32 bits, where they are enough, sort at twice the speed.
    kind = np.uint32 if (int(user[-1]) + 1) * items < 2**31 else np.int64
    key = (user.astype(kind) * kind(items) + plays.item.astype(kind)) * kind(2) + positive
    key.sort()
    pair = key >> 1
    last = np.append(pair[1:] != pair[:-1], True)  # behind the others of its pair, positive if any is
    return int(np.count_nonzero(last)), int(np.count_nonzero(key[last] & 1))


def _count_alike(plays: Plays) -> int:
    """Count the plays alike in user, item, time and rating to another, but for one of each."""
    same = (plays.user[1:] == plays.user[:-1]) & (plays.time_us[1:] == plays.time_us[:-1])
    if not same.any():
        return 0
    moment = np.cumsum(np.append(True, ~same))
    rows = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rating, item, moment = plays.rating[rows], plays.item[rows], moment[rows]
    order = np.lexsort((rating, item, moment))
    alike = np.ones(len(rows) - 1, bool)
    for column in (rating, item, moment):
        alike &= column[order[1:]] == column[order[:-1]]
    return int(np.count_nonzero(alike))


def _count_ratings(ratings: npt.NDArray[np.float64]) -> dict[float, int] | None:
    """Count the plays of each rating, ``None`` if there are too many ratings."""
    counts: dict[float, int] = {}
    rest = ratings
    while len(rest):
        if len(counts) == MOST_RATINGS:
            return None
        rating = rest[0]
        other = rest[rest != rating]
        counts[float(rating)] = len(rest) - len(other)
        rest = other
    return counts


def _add_ratings(counts: Counter[float] | None, more: dict[float, int] | None) -> Counter[float] | None:
    """Add counts of ratings, ``None`` if there are too many ratings."""
    if counts is None or more is None:
        return None
    both = counts + Counter(more)
    return both if len(both) <= MOST_RATINGS else None
