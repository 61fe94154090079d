"""Which part of a temporal split each play of a log is in, for laws about single plays."""

from __future__ import annotations

import numpy as np

from recbole_popaware.data.temporal_split import TEST, VALID, SplitRules, TemporalSplit, split_by_time
from recbole_popaware.plays.ordered import PlayLog

TRAIN, LEFT_OUT = 0, 3


def split_plays(users, times, positive, rules: SplitRules, names) -> tuple[TemporalSplit, np.ndarray]:
    """Split plays in any order: the split, and the part of each play ``[P]``.

    A play with a rating of 0 or less that is in no other part is LEFT_OUT, as nobody trains on it.
    """
    order = np.lexsort((times, users))
    starts = np.searchsorted(users[order], np.arange(len(names) + 1))
    ratings = np.where(positive, 1.0, -1.0)[order]
    split = split_by_time(PlayLog(starts, np.ones_like(order), times[order], ratings), rules, names)
    part = np.full(len(order), LEFT_OUT)
    for user, first in enumerate(starts[:-1]):
        own = np.arange(first, starts[user + 1])
        part[order[own[ratings[own] > 0][: split.trained[user]]]] = TRAIN
        for number, (begin, end) in ((VALID, split.valid), (TEST, split.test)):
            assert (part[order[begin[user] : end[user]]] == LEFT_OUT).all()
            part[order[begin[user] : end[user]]] = number
    return split, part
