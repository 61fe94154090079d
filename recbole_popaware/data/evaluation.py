"""Who is evaluated in a part of a temporal split, on which history and which targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from recbole_popaware.data.targets import Gains, GradedTargets, choose, grade
from recbole_popaware.data.temporal_split import VALID, SplitRules, TemporalSplit
from recbole_popaware.plays.columns import blocks
from recbole_popaware.plays.ordered import OrderedPlays, PlayLog

GRADED_AT_ONCE = 1 << 18
"""Plays that are graded together, which takes some hundred bytes each."""

Span = tuple[np.ndarray, np.ndarray]
"""Positions of some users' first plays, and behind their last ones."""


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
    """Choose the users of a part, their histories and their targets, a block of users at a time.

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
    listed, n_past = log.starts[1:] > begin, log.positive_before(past) - log.positive_before(begin)
    drawn = split.validated if part == VALID and rules.split.valid_users is not None else split.kept
    first, ends = split.valid if part == VALID else split.test
    ends = np.where(drawn, ends, first)
    n_targets, target_plays = np.zeros_like(begin), np.zeros_like(begin)
    kept: list[Gains] = []
    for block in _blocks(ends - first):
        gains = _gains(log, (first[block], ends[block]), (begin[block], past[block]), rules)
        n_targets[block] = np.bincount(gains.users, minlength=len(begin[block]))
        target_plays[block] = np.bincount(gains.users, gains.plays, minlength=len(begin[block]))
        kept.append(gains.at((drawn & (n_past > 0))[block][gains.users]))
    has_target = n_targets > 0
    left_out = {
        "not eligible": listed & ~split.kept,
        "not drawn for validation": split.kept & ~drawn,
        "without a positive target": drawn & ~has_target,
        "without a history": drawn & has_target & (n_past == 0),
    }
    users = np.flatnonzero(drawn & has_target & (n_past > 0))
    n_left_out = {reason: int(who.sum()) for reason, who in left_out.items() if who.any()}
    items, gains_of = (np.concatenate(columns) for columns in list(zip(*kept))[1:3])
    targets = GradedTargets.of_sizes(items, gains_of, n_targets[users])
    return EvaluationRows(users, log.positive_before(past[users]), targets, target_plays[users], n_left_out)


def _blocks(sizes: np.ndarray) -> Iterator[slice]:
    """Users whose targets are looked at together, from the number of plays of each."""
    start = 0
    for n_users in blocks(torch.from_numpy(sizes).clamp(min=0), GRADED_AT_ONCE):
        yield slice(start, start + n_users)
        start += n_users


def _gains(log: PlayLog, candidates: Span, history: Span, rules: EvaluationRules) -> Gains:
    """Targets of some users, who are numbered from 0.

    Args:
        log: The log.
        candidates: Each user's first play in the part, and the position behind the last.
        history: The same of the user's history.
        rules: What counts.
    """
    gains = grade(choose(log.between(*candidates), rules.targets))
    if rules.only_new:
        begin, past = history
        wanted = np.bincount(gains.users, minlength=len(begin)) > 0
        played = log.between(begin, np.where(wanted, past, begin))
        gains = gains.at(~_played(gains, played.at(played.positive)))
    counts = gains.gains > 0
    if rules.split.kept_users == "eligible":
        rewarded = np.bincount(gains.users, counts, minlength=len(history[0])) > 0
        counts |= ~rewarded[gains.users] & (gains.plays > 0)
    return gains.at(counts)


def _played(gains: Gains, plays: OrderedPlays) -> np.ndarray:
    """Whether each item is among its user's plays, ``[D]``."""
    width = 1 + max(gains.items.max(initial=0), plays.items.max(initial=0))
    keys, known = gains.users * width + gains.items, np.sort(plays.users * width + plays.items)
    found: np.ndarray = np.searchsorted(known, keys, side="right") > np.searchsorted(known, keys)
    return found
