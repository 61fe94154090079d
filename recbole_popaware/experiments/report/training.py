"""What validation curves say: which epoch was best, how soon a run came near it, and whether it had ended.

A curve has one point for each validated epoch: its number (from 1), the score (of the main measure; ``None``
where it is undefined) and the seconds since the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recbole_popaware.experiments.report.results import Results, SystemResult

NEAR = 0.95  # of the best validation result

Point = Mapping[str, Any]


def scored(run: Mapping[str, Any]) -> list[Point]:
    """The points of a run's curve that have a score."""
    return [point for point in run["curve"] if point["score"] is not None]


def best_point(run: Mapping[str, Any]) -> Point | None:
    """The epoch whose weights are tested: the last with the greatest score, as RecBole picks it."""
    return max(scored(run), key=lambda point: (point["score"], point["epoch"]), default=None)


def near_point(run: Mapping[str, Any]) -> Point | None:
    """The first epoch that reaches 95 % of the run's best score."""
    best = best_point(run)
    near = (point for point in scored(run) if best is not None and point["score"] >= NEAR * best["score"])
    return next(near, None)


def patience_left(run: Mapping[str, Any]) -> bool:
    """Whether training ended at the limit of epochs or time, before the patience ran out.

    RecBole stops after ``stopping_step`` + 1 validations without a better or equal score. A run that is not
    stopped in that way might have improved with more epochs.
    """
    best = best_point(run)
    if not run["parameters"] or best is None:
        return False
    later = sum(point["epoch"] > best["epoch"] for point in run["curve"])
    return bool(later <= run["settings"]["stopping_step"])


def cut_short(results: Results) -> list[str]:
    """Names of the systems of which a run ended before its patience ran out."""
    return [result.name for result in results.systems if any(map(patience_left, result.runs.values()))]


def note(results: Results) -> str:
    """Say which systems were cut short by the limit of epochs or time; empty if none was."""
    names = cut_short(results)
    if not names:
        return ""
    systems = ", ".join(_describe(result) for result in results.systems if result.name in names)
    text = (
        f"Training ended at the limit of epochs or time, before the patience ran out: {systems}. "
        "More epochs may give better results."
    )
    bases = dict.fromkeys(base.name for base, _ in results.pairs() if base.name in names)
    return f"{text} Differences from {', '.join(bases)} may change then." if bases else text


def _describe(result: SystemResult) -> str:
    early = [run for run in result.runs.values() if patience_left(run)]
    if len(result.runs) > 1:
        return f"{result.name} ({len(early)} of {len(result.runs)} seeds)"
    best = best_point(early[0])
    return f"{result.name} (best epoch {best['epoch']} of {early[0]['epochs']})" if best else result.name


def mean_of(points: Sequence[Point | None], key: str) -> float:
    """Mean of one number of several points; ``nan`` if one of them is missing."""
    return float(np.mean([np.nan if point is None else point[key] for point in points]))
