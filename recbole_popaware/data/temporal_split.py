"""Global temporal split: two borders in time say which plays train, validate and test.

Source of the paper's protocol: Abbattista et al., "Enhancing Sequential Music Recommendation with
Personalized Popularity Awareness", RecSys 2024 (arXiv 2409.04329), section 4, and its published program.
Source of Yambda's: Ploshkin et al., "Yambda-5B" (arXiv 2505.22238), and its benchmark's program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

TRAIN, VALID, TEST, LEFT_OUT = 0, 1, 2, 3

KEPT_USERS = ("any", "eligible", "trained")
TRAIN_UNTIL = ("valid", "test")
VALID_USERS_SEED = 31337


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


class Plays(NamedTuple):
    """A log, in any order.

    Attributes:
        users: ``[P]`` number of each play's user, below ``n_users``.
        times: ``[P]`` time of each play.
        positive: ``[P]`` whether its rating is above 0.
    """

    users: np.ndarray
    times: np.ndarray
    positive: np.ndarray


class TemporalSplit(NamedTuple):
    """A log that is split.

    Attributes:
        borders: The two borders.
        part: ``[P]`` TRAIN, VALID or TEST, or LEFT_OUT for every play of a user who is not kept, and for
            those held out or in a gap.
        kept: ``[n_users]`` who is kept.
        validated: ``[n_users]`` whose plays between the borders may be validation targets.
    """

    borders: Borders
    part: np.ndarray
    kept: np.ndarray
    validated: np.ndarray


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
    times = np.sort(times)
    test_border = _time_at(times, (train + valid) / (train + valid + test), math.inf)
    times = times[: np.searchsorted(times, test_border)]
    return Borders(_time_at(times, train / (train + valid), test_border), test_border)


def split_by_time(plays: Plays, rules: SplitRules, names: np.ndarray) -> TemporalSplit:
    """Put every play into one part at most.

    Args:
        plays: The log, P >= 1.
        rules: The protocol.
        names: ``[n_users]`` names of the users; validation users are drawn from those in sorted order.
    """
    borders = rules.borders or find_borders(plays.times, rules.shares)
    early, late = plays.times < borders.valid - rules.gap, plays.times >= borders.test
    before_test = plays.times < borders.test - rules.gap
    middle = (plays.times >= borders.valid) & before_test

    def positives(period: np.ndarray) -> np.ndarray:
        return np.bincount(plays.users[plays.positive & period], minlength=len(names))

    before_valid = positives(early)
    kept = np.bincount(plays.users, minlength=len(names)) > 0
    if rules.kept_users == "eligible":
        kept = validated = (positives(late) > 0) & (before_valid > 1)
    else:
        validated = (before_valid > 0) & (positives(middle) > 0)
    if rules.valid_users is not None:
        validated = _draw(validated, rules.valid_users, names)

    part = np.select([late, early, middle], [TEST, TRAIN, VALID], LEFT_OUT).astype(np.int8)
    if rules.train_until == "test":
        part[before_test & ~validated[plays.users]] = TRAIN
    if rules.kept_users == "trained":
        kept = positives(part == TRAIN) > 0
    if rules.hold_out_last:
        part[_last_rows(plays, early & plays.positive & validated[plays.users])] = LEFT_OUT
    part[~kept[plays.users]] = LEFT_OUT
    return TemporalSplit(borders, part, kept, validated)


def _time_at(times: np.ndarray, share: Fraction, otherwise: float) -> float:
    row = math.floor(share * len(times))
    return float(times[row]) if row < len(times) else otherwise


def _last_rows(plays: Plays, chosen: np.ndarray) -> np.ndarray:
    """Row of each user's last play among the chosen ones; of several at one time the last row."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((rows, plays.times[rows], plays.users[rows]))]
    last: np.ndarray = rows[np.diff(plays.users[rows], append=-1) != 0]
    return last


def _draw(candidates: np.ndarray, size: int, names: np.ndarray) -> np.ndarray:
    users = np.flatnonzero(candidates)
    users = users[np.argsort(names[users])]
    drawn = np.random.RandomState(VALID_USERS_SEED).choice(  # the published program's
        users, min(size, len(users)), replace=False
    )
    chosen = np.zeros_like(candidates)
    chosen[drawn] = True
    return chosen
