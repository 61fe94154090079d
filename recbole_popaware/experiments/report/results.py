"""The results of the finished runs of an experiment, ready for tables, tests and charts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recbole_popaware.experiments.plan import Plan, System
from recbole_popaware.experiments.runs import Protocol, Run
from recbole_popaware.experiments.scheduler import Failure
from recbole_popaware.experiments.store import RunStore

# More of these is neither better nor worse.
DESCRIPTIVE = frozenset(
    (
        *("repeatshare", "repeatbias", "personalnovelty"),
        *(
            "averagepopularity",
            "itemcoverage",
            "yambdacoverage",
            "shannonentropy",
            "giniindex",
            "tailpercentage",
        ),
    )
)


def is_accuracy(measure: str) -> bool:
    """Whether more of a measure is better."""
    return measure.partition("@")[0].lower() not in DESCRIPTIVE


@dataclass(frozen=True)
class SystemResult:
    """All finished runs of one system.

    Attributes:
        system: The system.
        runs: Content of each run's ``result.json``, by seed; means are exact where values per user exist.
        per_user: Mean over seeds of each user's values: a row a user, a column a measure.
    """

    system: System
    runs: Mapping[int, Mapping[str, Any]]
    per_user: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the system."""
        return self.system.name

    @property
    def first_run(self) -> Mapping[str, Any]:
        """The run with the smallest seed."""
        return self.runs[min(self.runs)]

    @property
    def learns(self) -> bool:
        """Whether it has parameters that training changes."""
        return bool(self.first_run["parameters"])

    def of_seeds(self, name: str) -> np.ndarray:
        """Value of a measure on the test part, or of another number of the run, for each seed."""
        values = [run["test_result"].get(name, run.get(name, np.nan)) for run in self.runs.values()]
        return np.array(values, dtype=np.float64)

    def mean(self, name: str) -> float:
        """Mean over seeds."""
        return float(self.of_seeds(name).mean())

    def std(self, name: str) -> float:
        """Standard deviation over seeds (of the sample); 0 for one seed."""
        values = self.of_seeds(name)
        return float(values.std(ddof=1)) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class Results:
    """An experiment's results.

    Attributes:
        plan: What the experiment file says.
        protocol: What the systems share.
        systems: Systems with finished runs, in the plan's order.
        users: History of each test user: columns user, history_plays, repeat_share.
        output: Folder of all files, ``report.html`` among them.
        failures: Runs that did not finish this time.
        overrides: Properties of the command line or call, which win over the plan's.
    """

    plan: Plan
    protocol: Protocol
    systems: Sequence[SystemResult]
    users: pd.DataFrame
    output: Path
    failures: Sequence[Failure] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def means(self) -> pd.DataFrame:
        """Mean over users and seeds: a row a system, a column a measure."""
        measures = self.measures()
        rows = {result.name: [result.mean(name) for name in measures] for result in self.systems}
        return pd.DataFrame.from_dict(rows, orient="index", columns=measures)

    def find(self, name: str | None) -> SystemResult | None:
        """A system by name, if it has finished."""
        return next((result for result in self.systems if result.name == name), None)

    def pairs(self) -> list[tuple[SystemResult, SystemResult]]:
        """Each base with each of its variants."""
        pairs = [(self.find(variant.system.base), variant) for variant in self.systems]
        return [(base, variant) for base, variant in pairs if base is not None]

    def best(self, measure: str, but: SystemResult | None = None) -> SystemResult | None:
        """The system with the greatest mean."""
        others = [
            result for result in self.systems if result is not but and not np.isnan(result.mean(measure))
        ]
        return max(others, key=lambda result: result.mean(measure), default=None)

    def names(self, measure: str) -> list[str]:
        """A measure at all list lengths, such as ``NDCG@5``, ``NDCG@10``."""
        return [f"{measure}@{k}" for k in self.protocol.topk]

    def measures(self) -> list[str]:
        """All measures at all list lengths."""
        return [name for measure in self.protocol.measures for name in self.names(measure)]

    def has(self, measure: str) -> bool:
        """Whether systems have values of a measure for each user."""
        return bool(self.systems) and all(measure in result.per_user for result in self.systems)


def gather(
    plan: Plan,
    protocol: Protocol,
    runs: Sequence[Run],
    store: RunStore,
    failures: Sequence[Failure] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Results:
    """Read those of an experiment's runs that have finished; arguments as in :class:`Results`."""
    shown = {f"{m.lower()}@{k}": f"{m}@{k}" for m in protocol.measures for k in protocol.topk}
    systems: list[SystemResult] = []
    users = pd.DataFrame({"user": [], "history_plays": [], "repeat_share": []})
    for system in plan.systems:
        finished = [run for run in runs if run.system == system and store.is_finished(run)]
        if finished:
            if not systems:
                users = pd.read_parquet(store.folder(finished[0]) / "users.parquet")
            systems.append(_gather_system(system, finished, store, shown))
    users = users.groupby("user").mean().reset_index()
    return Results(plan, protocol, systems, users, store.output, failures, overrides or {})


def _gather_system(
    system: System, finished: Sequence[Run], store: RunStore, shown: Mapping[str, str]
) -> SystemResult:
    results, frames = {}, []
    for run in finished:
        result = json.loads((store.folder(run) / "result.json").read_text())
        values = pd.read_parquet(store.folder(run) / "per_user.parquet")
        exact = values.groupby("metric")["value"].mean().to_dict()
        rounded = {name: np.nan if x is None else x for name, x in result["test_result"].items()}
        result["test_result"] = {shown.get(name, name): x for name, x in {**rounded, **exact}.items()}
        results[run.seed] = result
        frames.append(values)
    values = pd.concat(frames).pivot_table(index="user", columns="metric", values="value", aggfunc="mean")
    return SystemResult(system, results, values.rename(columns=dict(shown)))
