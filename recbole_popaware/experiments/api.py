"""Do an experiment in one call."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole_popaware.errors import UsageError, shown
from recbole_popaware.experiments.plan import find_plan, read_plan
from recbole_popaware.experiments.report.outputs import write_outputs
from recbole_popaware.experiments.report.results import Results, gather
from recbole_popaware.experiments.runs import make_runs
from recbole_popaware.experiments.scheduler import do_runs
from recbole_popaware.experiments.source import digest, ensure_data
from recbole_popaware.experiments.store import RunStore


def experiment(
    file: str | os.PathLike[str],
    /,
    *,
    output: str | os.PathLike[str] | None = None,
    only: str | Sequence[str] = (),
    seeds: int = 1,
    jobs: int = 1,
    resume: bool = False,
    raw: str | os.PathLike[str] | None = None,
    **properties: Any,
) -> Results:
    """Train the systems of an experiment file side by side and report on them.

    Each run (a system with one seed) is a process of its own; if one fails, the others go on. All files that
    docs/experiments.md lists are in the output folder when this returns, ``report.html`` among them.

    Args:
        file: An experiment file, or the name of one that comes with the package, such as ``demo``.
        output: Folder of the results; default: ``results/NAME``.
        only: Names of the systems to run; default: all. The report covers all systems that have finished
            with the present settings.
        seeds: How many seeds each system that learns gets: the property ``seed``, the next one, and so on.
        jobs: How many runs at once; they share the cores.
        resume: Keep runs that have finished with the same settings, seed and data.
        raw: The raw log to convert if the data set is not there.
        **properties: Properties for all systems, such as ``epochs=3``; they win over the file's.

    Returns:
        The results of all systems that have finished, now or in earlier calls with the same settings:
        ``results.means()`` is a table of them, ``results.failures`` says what did not finish and why.

    Raises:
        UsageError: If the file, an argument or a property cannot work, or the data are missing.
        KeyboardInterrupt: On Ctrl-C, after all processes have ended; go on with ``resume=True``.

    Example::

        results = experiment("demo", only=["SASRec", "PopSASRec"], jobs=2, epochs=3)
        results.means()["GradedNDCG@10"]
    """
    plan = read_plan(find_plan(os.fspath(file)))
    overrides = _plain(properties)
    for name, count in (("seeds", seeds), ("jobs", jobs)):
        if not (isinstance(count, int) and count >= 1):
            raise UsageError(f"{name} [{shown(count)}] must be a whole number, at least 1")
    chosen = plan.pick([only] if isinstance(only, str) else only)
    runs, protocol = make_runs(plan, overrides, seeds)
    ensure_data(plan, protocol.file, None if raw is None else Path(raw))
    store = RunStore(Path(output or Path("results", plan.name)), digest(protocol.file))
    with store.locked():
        missing = [run for run in runs if run.system in chosen and not (resume and store.is_finished(run))]
        failures = do_runs(missing, store, plan.dataset, jobs)
        results = gather(plan, protocol, runs, store, failures, overrides)
        write_outputs(results, runs, store)
    return results


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as the processes of the runs will read them, from JSON.

    Raises:
        UsageError: If one is not for an experiment to set, or its value is not plain.
    """
    plain = {}
    for name, value in properties.items():
        if name in ("model", "dataset"):
            raise UsageError(f"{name} cannot be set here: the experiment file says it")
        try:
            plain[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError, RecursionError):
            raise UsageError(
                f"property {name} is [{shown(value)}] of type {type(value).__name__}; an experiment takes "
                f"numbers, texts, True, False, None, and lists and dictionaries of them"
            ) from None
    return plain
