"""From a plan to results: check, do the runs that are missing, gather."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from recbole_popaware.experiments.plan import Plan
from recbole_popaware.experiments.report.results import Results, gather
from recbole_popaware.experiments.runs import Run, make_runs
from recbole_popaware.experiments.scheduler import do_runs
from recbole_popaware.experiments.source import digest, ensure_data
from recbole_popaware.experiments.store import RunStore


def run_experiment(
    plan: Plan, given: Any, overrides: Mapping[str, Any], output: Path
) -> tuple[Results, list[Run], RunStore]:
    """Do an experiment.

    Args:
        plan: What the experiment file says.
        given: The options ``only``, ``seeds``, ``jobs``, ``resume`` and ``raw`` of the command line.
        overrides: Properties that win over the file's.
        output: Where results go.

    Returns:
        Results of all systems that have finished, now or in earlier calls with the same settings; all runs
        of the plan; and where they are.

    Raises:
        UsageError: If the plan cannot work or the data are missing.
    """
    picked = plan.pick(given.only)
    runs, protocol = make_runs(plan, overrides, given.seeds)
    ensure_data(plan, protocol.file, given.raw)
    store = RunStore(output, digest(protocol.file))
    todo = [run for run in runs if run.system in picked]
    with store.alone():
        if given.resume:
            todo = [run for run in todo if not store.is_finished(run)]
        failures = do_runs(todo, store, plan.dataset, given.jobs)
    results = replace(gather(plan, protocol, runs, store), failures=failures, overrides=overrides)
    return results, runs, store
