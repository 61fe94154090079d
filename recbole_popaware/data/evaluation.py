"""Who is evaluated in a part of a temporal split, on which history and which targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recbole_popaware.data.targets import GradedPlays, GradedTargets, choose, grade
from recbole_popaware.data.temporal_split import VALID, SplitRules, TemporalSplit


class Log(NamedTuple):
    """All plays of a log, by user and then by time.

    Attributes:
        plays: ``[P]`` users, items and ratings.
        times: ``[P]`` time of each play.
    """

    plays: GradedPlays
    times: np.ndarray


@dataclass(frozen=True)
class EvaluationRows:
    """One row a user.

    Attributes:
        users: ``[U]`` the users, in ascending order.
        ends: ``[U]`` where the history of each ends, as a place among the positive plays of the log.
        targets: What is to be predicted.
        left_out: Number of users left out, by reason; a user counts for the first reason that holds.
    """

    users: np.ndarray
    ends: np.ndarray
    targets: GradedTargets
    left_out: dict[str, int]


@dataclass(frozen=True)
class EvaluationRules:
    """What counts as a target.

    Attributes:
        split: The protocol of the split.
        targets: ``all``, ``next`` or ``last``; see :func:`~.targets.choose`.
        only_new: Take only items that are not in the user's history.
    """

    split: SplitRules
    targets: str = "all"
    only_new: bool = False


def evaluation_rows(log: Log, split: TemporalSplit, part: int, rules: EvaluationRules) -> EvaluationRows:
    """Find the users of a part, their histories and their targets.

    A user needs a positive play before the part's border and a positive target in the part. Under
    ``kept_users: eligible`` a user whose positive targets were all disliked later stays, with gains of 0,
    since the published program counts such a user as a miss.

    Args:
        log: The plays.
        split: Where they belong.
        part: VALID or TEST.
        rules: What counts.
    """
    n_users = len(split.kept)
    positive = log.plays.ratings > 0
    border = split.borders.valid if part == VALID else split.borders.test
    past = log.plays.at(positive & (log.times < border))
    entries = _targets(log.plays.at(split.part == part), past, rules)

    def among(users: np.ndarray) -> np.ndarray:
        return np.bincount(users, minlength=n_users) > 0

    listed, has_target, has_history = among(log.plays.users), among(entries.users), among(past.users)
    drawn = split.validated if part == VALID and rules.split.valid_users is not None else split.kept
    left_out = {
        "not eligible": listed & ~split.kept,
        "not drawn for validation": split.kept & ~drawn,
        "without a positive target": drawn & ~has_target,
        "without a history": drawn & has_target & ~has_history,
    }
    users = np.flatnonzero(drawn & has_target & has_history)
    starts = np.searchsorted(log.plays.users[positive], users)
    ends = starts + np.bincount(past.users, minlength=n_users)[users]
    counts = {reason: int(who.sum()) for reason, who in left_out.items() if who.any()}
    return EvaluationRows(users, ends, GradedTargets.of_users(entries, users), counts)


def _targets(plays: GradedPlays, past: GradedPlays, rules: EvaluationRules) -> GradedPlays:
    plays = choose(plays, rules.targets)
    entries = grade(plays)
    if rules.only_new:
        entries = entries.at(~_stands_in(entries, past))
    counts = entries.ratings > 0
    if rules.split.kept_users == "eligible":
        unrewarded = ~np.isin(entries.users, entries.users[counts])
        counts |= unrewarded & _stands_in(entries, plays.at(plays.ratings > 0))
    return entries.at(counts)


def _stands_in(entries: GradedPlays, plays: GradedPlays) -> np.ndarray:
    """Whether each entry's user and item stand among some plays, ``[T]``."""
    width = 1 + max(entries.items.max(initial=0), plays.items.max(initial=0))
    found: np.ndarray = np.isin(entries.users * width + entries.items, plays.users * width + plays.items)
    return found
