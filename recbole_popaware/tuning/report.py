"""The summary of a finished search, as text."""

from __future__ import annotations

import shlex

from recbole_popaware.text_table import text_table
from recbole_popaware.tuning.results import Trial, TuningResult

SHOWN_TRIALS = 5


def report(result: TuningResult) -> str:
    """Lay out the best trials of a search, their properties as arguments of the command line."""
    header = [f"{result.measure}, validation", "test", "properties"]
    table = text_table(header, [_row(trial, result.measure) for trial in result.ranked[:SHOWN_TRIALS]], "rrl")
    failed = len(result.trials) - len(result.ranked)
    lines = ["", f"{result.model} on {result.dataset}", "", table, ""]
    lines.append(f"trials: {len(result.trials)}" + (f", {failed} of them failed" if failed else ""))
    lines.append(f"all results: {result.file}")
    lines.append(f"weights of the best one: {result.best.checkpoint or 'not kept'}")
    return "\n".join(lines)


def _row(trial: Trial, measure: str) -> list[str]:
    arguments = " ".join(f"--{name}={shlex.quote(str(value))}" for name, value in trial.params.items())
    return [f"{trial.score:.4f}", f"{(trial.test or {})[measure]:.4f}", arguments]
