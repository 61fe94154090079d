"""Global temporal split: two borders in time say which plays train, validate and test.

Source of the paper's protocol: Abbattista et al., "Enhancing Sequential Music Recommendation with
Personalized Popularity Awareness", RecSys 2024 (arXiv 2409.04329), section 4, and its published program.
Source of Yambda's: Ploshkin et al., "Yambda-5B" (arXiv 2505.22238), and its benchmark's program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from recbole_popaware.plays.ordered import PlayLog

VALID, TEST = 1, 2

KEPT_USERS = ("any", "eligible", "trained")
TRAIN_UNTIL = ("valid", "test")
VALID_USERS_SEED = 31337
_BLOCK = 1 << 20  # plays that are looked at together


class Borders(NamedTuple):
    """Two points in time, the same one if nothing validates; a play at a border belongs to the later side."""

    valid: float
    test: float


@dataclass(frozen=True)
class SplitRules:
    """What a protocol lets happen; the defaults are the corrected protocol.

    Attributes:
        shares: Shares of the plays before, between and after the borders; they sum to 1.
        borders: The borders themselves, instead of shares (Yambda).
        gap: Plays that many seconds before a border are in no part, and in no history there (Yambda).
        kept_users: ``any``; ``eligible`` keeps only users with a positive play at or after the test border
            and more than one before the validation border, in training too (the paper); ``trained`` keeps
            only users with a positive play in the training part (Yambda).
        train_until: ``valid``: nobody trains on plays at or after the validation border; ``test``: users
            who are not validated train up to the test border (the paper).
        valid_users: Validate that many users only, drawn at random but the same every time; ``None``: all.
        hold_out_last: Whether a validated user's last positive play before the validation border is not
            trained on (the paper, which computes a loss on it).
    """

    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    borders: Borders | None = None
    gap: float = 0.0
    kept_users: str = "any"
    train_until: str = "valid"
    valid_users: int | None = None
    hold_out_last: bool = False


class TemporalSplit(NamedTuple):
    """A log that is split; users who are not kept have no plays in any part.

    Attributes:
        borders: The two borders.
        kept: ``[n_users]`` who is kept.
        validated: ``[n_users]`` whose plays between the borders may be validation targets.
        trained: ``[n_users]`` how many of the user's positive plays are trained on: the first ones.
        known: ``[n_users]`` how many of them are before the test border, and before the gap there.
        valid: ``[n_users]`` position of each user's first play in the validation part, and behind the last.
        test: The same of the test part.
    """

    borders: Borders
    kept: np.ndarray
    validated: np.ndarray
    trained: np.ndarray
    known: np.ndarray
    valid: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def find_borders(times: np.ndarray, shares: tuple[float, float, float]) -> Borders:
    """Find the borders from all plays of the log.

    The test border is the time of the play that ``1 - shares[2]`` of all plays precede. The validation
    border is found alike among the plays before the test border, so that 0.81, 0.09, 0.1 cuts off a
    tenth twice as the published program does. Plays at one time are never torn apart.

    Args:
        times: ``[P]`` in any order, P >= 1.
        shares: Of training, validation and test; not negative, and they sum to 1.
    """
    train, valid, test = (Fraction(share).limit_denominator(1_000_000) for share in shares)
    test_border = _time_at(times, (train + valid) / (train + valid + test), len(times), math.inf)
    n_before = sum(int(np.count_nonzero(block < test_border)) for block in _blocks(times))
    return Borders(_time_at(times, train / (train + valid), n_before, test_border), test_border)


def split_by_time(log: PlayLog, rules: SplitRules, names: np.ndarray) -> TemporalSplit:
    """Put every play into one part at most.

    Args:
        log: All plays, P >= 1.
        rules: The protocol.
        names: ``[n_users]`` names of the users; validation users are drawn from those in sorted order.
    """
    borders = rules.borders or find_borders(log.times, rules.shares)
    begin, end = log.starts[:-1], log.starts[1:]
    before_valid, since_valid, before_test, since_test = (
        log.first_since(time)
        for time in (borders.valid - rules.gap, borders.valid, borders.test - rules.gap, borders.test)
    )

    def positives(first: np.ndarray, ends: np.ndarray) -> np.ndarray:
        return log.positive_before(ends) - log.positive_before(first)

    early, late = positives(begin, before_valid), positives(since_test, end)
    kept = end > begin
    if rules.kept_users == "eligible":
        kept = validated = (late > 0) & (early > 1)
    else:
        validated = (early > 0) & (positives(since_valid, np.maximum(since_valid, before_test)) > 0)
    if rules.valid_users is not None:
        validated = _draw(validated, rules.valid_users, names)

    known, trained, valid_end = positives(begin, before_test), early, before_test
    if rules.train_until == "test":
        trained = np.where(validated, early, known)
        valid_end = np.where(validated, before_test, since_valid)
    if rules.kept_users == "trained":
        kept = trained > 0
    if rules.hold_out_last:
        trained = trained - (validated & (early > 0))
    return TemporalSplit(
        borders,
        kept,
        validated,
        np.where(kept, trained, 0),
        np.where(kept, known, 0),
        (since_valid, np.where(kept, np.maximum(since_valid, valid_end), since_valid)),
        (since_test, np.where(kept, end, since_test)),
    )


def _time_at(times: np.ndarray, share: Fraction, n: int, otherwise: float) -> float:
    """Time of the play that a share of the first ``n`` plays precede, in order of time."""
    row = math.floor(share * n)
    return _at_rank(times, row) if row < n else otherwise


def _at_rank(times: np.ndarray, rank: int) -> float:
    """The time that ``rank`` others precede in ascending order; whole numbers are counted, not copied."""
    if times.dtype.kind != "i" or times.dtype.itemsize > 4:
        return float(np.partition(times, rank)[rank])
    upper = np.zeros(1 << 16, np.int64)  # plays by the upper 16 bits of their time, then by the lower ones
    for block in _blocks(times):
        upper += np.bincount((block.astype(np.int32) >> 16) + (1 << 15), minlength=1 << 16)
    ends = upper.cumsum()
    bits = int(np.searchsorted(ends, rank, side="right"))
    rank -= int(ends[bits] - upper[bits])
    lower = np.zeros(1 << 16, np.int64)
    for block in _blocks(times):
        inside = block[(block.astype(np.int32) >> 16) == bits - (1 << 15)].astype(np.int32)
        lower += np.bincount(inside & 0xFFFF, minlength=1 << 16)
    return float(((bits - (1 << 15)) << 16) + int(np.searchsorted(lower.cumsum(), rank, side="right")))


def _blocks(times: np.ndarray) -> Iterator[np.ndarray]:
    return (times[start : start + _BLOCK] for start in range(0, len(times), _BLOCK))


def _draw(candidates: np.ndarray, size: int, names: np.ndarray) -> np.ndarray:
    users = np.flatnonzero(candidates)
    users = users[np.argsort(names[users])]
    drawn = np.random.RandomState(VALID_USERS_SEED).choice(  # the published program's
        users, min(size, len(users)), replace=False
    )
    chosen = np.zeros_like(candidates)
    chosen[drawn] = True
    return chosen
