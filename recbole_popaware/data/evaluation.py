"""Who is evaluated in a part of a temporal split, on which history and which targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recbole_popaware.data.targets import Gains, GradedTargets, choose, grade
from recbole_popaware.data.temporal_split import VALID, SplitRules, TemporalSplit
from recbole_popaware.plays.ordered import OrderedPlays, PlayLog


@dataclass(frozen=True)
class EvaluationRows:
    """One row a user.

    Attributes:
        users: ``[B]`` the users, in ascending order.
        ends: ``[B]`` where the history of each ends, as a position among the positive plays of the log.
        targets: What is to be predicted.
        target_plays: ``[B]`` number of positive plays of the targets; an item played twice counts twice.
        left_out: Number of users left out, by reason; a user counts for the first reason that applies.
    """

    users: np.ndarray
    ends: np.ndarray
    targets: GradedTargets
    target_plays: np.ndarray
    left_out: dict[str, int]


@dataclass(frozen=True)
class EvaluationRules:
    """What counts as a target.

    Attributes:
        split: The protocol of the split.
        targets: ``all``, ``plays``, ``next`` or ``last``; see :func:`~.targets.choose`.
        only_new: Take only items that are not in the user's history.
    """

    split: SplitRules
    targets: str = "all"
    only_new: bool = False


def evaluation_rows(log: PlayLog, split: TemporalSplit, part: int, rules: EvaluationRules) -> EvaluationRows:
    """Choose the users of a part, their histories and their targets.

    A user needs a positive play before the part's border and a positive target in the part. Under
    ``kept_users: eligible`` a user whose positive targets were all disliked later stays, with gains of 0,
    since the published program counts such a user as a miss.

    Args:
        log: The log.
        split: Where its plays belong.
        part: VALID or TEST.
        rules: What counts.
    """
    border = split.borders.valid if part == VALID else split.borders.test
    begin, past = log.starts[:-1], log.first_since(border - rules.split.gap)
    candidates = choose(log.between(*(split.valid if part == VALID else split.test)), rules.targets)
    gains = grade(candidates)

    def count(users: np.ndarray) -> np.ndarray:
        return np.bincount(users, minlength=len(split.kept))

    if rules.only_new:
        played = log.between(begin, np.where(count(gains.users) > 0, past, begin))
        gains = gains.at(~_played(gains, played.at(played.positive)))
    gains = gains.at(_counts(gains, candidates, rules))
    listed, has_target = log.starts[1:] > begin, count(gains.users) > 0
    n_past = log.positive_before(past) - log.positive_before(begin)
    drawn = split.validated if part == VALID and rules.split.valid_users is not None else split.kept
    left_out = {
        "not eligible": listed & ~split.kept,
        "not drawn for validation": split.kept & ~drawn,
        "without a positive target": drawn & ~has_target,
        "without a history": drawn & has_target & (n_past == 0),
    }
    users = np.flatnonzero(drawn & has_target & (n_past > 0))
    n_left_out = {reason: int(who.sum()) for reason, who in left_out.items() if who.any()}
    of_targets = candidates.at(candidates.positive & _played(candidates, gains))
    target_plays = np.asarray(count(of_targets.users)[users], dtype=np.int64)
    of_rows, ends = GradedTargets.of_users(gains, users), log.positive_before(past[users])
    return EvaluationRows(users, ends, of_rows, target_plays, n_left_out)


def _counts(gains: Gains, candidates: OrderedPlays, rules: EvaluationRules) -> np.ndarray:
    """Which gains, ``[D]``, of candidates are targets."""
    counts: np.ndarray = gains.gains > 0
    if rules.split.kept_users == "eligible":
        unrewarded = ~np.isin(gains.users, gains.users[counts])
        counts |= unrewarded & _played(gains, candidates.at(candidates.positive))
    return counts


def _played(entries: Gains | OrderedPlays, plays: Gains | OrderedPlays) -> np.ndarray:
    """Whether each entry's item is among its user's plays, ``[D]``."""
    width = 1 + max(entries.items.max(initial=0), plays.items.max(initial=0))
    played: np.ndarray = np.isin(entries.users * width + entries.items, plays.users * width + plays.items)
    return played
