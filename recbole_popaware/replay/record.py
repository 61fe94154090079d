"""The record of each played item: when and how often one listener played it, as features.

All are logarithms or shares, so that one set of weights serves logs of any size. What is known about a
person's memory is among them: sums of fading plays (base-level activation; Anderson and Schooler 1991), the
spacing of plays, and how overdue an item is (Benson, Kumar and Tomkins, WWW 2016).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.replay.item_counts import CatalogueCounts
from recbole_popaware.replay.moments import HOUR, Records

FADES = ((0.5, 0.0), (1.0, 0.0), (1.0, 10.0), (1.3, 20.0), (1.3, 100.0))  # d and c, in plays
HALF_LIVES = (24.0, 168.0, 720.0)  # e-folding times in hours
NEVER = 24.0 * 365  # hours taken for a gap that has not been seen yet
USER_FEATURES = 3
RECORD_FEATURES = 26


def faded_count(records: Records, decay: float, offset: float) -> Tensor:
    """``sum of ((age + c) / (1 + c)) ** -d`` over the plays of each pair, ``[D]``."""
    return records.total(((records.ages + offset) / (1 + offset)) ** -decay)


def user_features(records: Records, newest: Tensor) -> Tensor:
    """Habits of each moment's user, ``[Q, USER_FEATURES]``.

    Length of the history, share of repeats in it, and hours since its newest play.

    Args:
        records: The records; every history has a play.
        newest: ``[Q]`` time of each history's newest play, in seconds.
    """
    distinct = torch.bincount(records.rows, minlength=len(records.starts))
    since = ((records.moments.now - newest).clamp(min=0) / HOUR).float()
    length = records.lengths.float()
    return torch.stack([length.log(), 1 - distinct / length, torch.log1p(since)], 1)


def record_features(records: Records, times: Tensor, counts: CatalogueCounts) -> Tensor:
    """Features of each pair, ``[D, F]``.

    Args:
        records: The records.
        times: ``[P]`` times of all plays in the store, in seconds.
        counts: Plays of everybody, from the plays that statistics may know.
    """
    n, rows = records.plays.float(), records.rows
    return torch.stack(
        [
            *(faded_count(records, *fade).log() for fade in FADES),
            n.log(),
            (n / records.lengths[rows]).log(),
            *((records.total(torch.exp(-records.hours / life)) + 1e-3).log() for life in HALF_LIVES),
            *_spacing(records.ages, records, records.lengths[rows].float()),
            *_spacing(records.hours + 1, records, records.hours[records.offsets[:-1]] + NEVER),
            *(torch.log1p(records.total((records.ages <= last).float())) for last in (10, 50)),
            *_at_this_time(records, times),
            torch.log1p(counts.plays.float())[records.items],
            ((counts.plays + 1) / (counts.listeners + 1)).log()[records.items],
        ],
        1,
    )


def _spacing(ages: Tensor, records: Records, without_gap: Tensor) -> list[Tensor]:
    """Age of the newest, second newest and oldest play, mean gap, and the newest age over that gap."""
    n, last = records.plays, records.offsets[1:] - 1
    newest, oldest = ages[last], ages[records.offsets[:-1]]
    second = torch.where(n > 1, ages[(last - 1).clamp(min=0)], without_gap + 1)
    gap = torch.where(n > 1, (oldest - newest) / (n - 1).clamp(min=1), without_gap) + 1
    return [x.log() for x in (newest, second, oldest, gap, newest / gap)]


def _at_this_time(records: Records, times: Tensor) -> list[Tensor]:
    """Share of an item's plays near the moment's hour of day, and on its day of the week."""
    now, played = records.moments.now[records.rows][records.pair], times[records.positions]
    apart = (_hour(now) - _hour(played)).abs()
    near = torch.exp(-torch.minimum(apart, 24 - apart) / 3)
    same_day = (_weekday(now) == _weekday(played)).float()
    n = records.plays + 1
    return [(records.total(near) + 0.3) / n, (records.total(same_day) + 1 / 7) / n]


def _hour(times: Tensor) -> Tensor:
    return ((times / HOUR) % 24).float()


def _weekday(times: Tensor) -> Any:
    return (times / (24 * HOUR)).floor() % 7
