"""What the finished runs of an experiment found, ready for tables, tests and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        *("averagepopularity", "itemcoverage", "shannonentropy", "giniindex", "tailpercentage"),
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
    """An experiment's outcome.

    Attributes:
        plan: What was asked for.
        protocol: What the systems share.
        systems: Systems with finished runs, in the plan's order.
        users: History of each test user: columns user, history_plays, repeat_share.
        failures: Runs that did not finish this time.
        overrides: Properties of the command line, which win over the plan's.
    """

    plan: Plan
    protocol: Protocol
    systems: Sequence[SystemResult]
    users: pd.DataFrame
    failures: Sequence[Failure] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def find(self, name: str | None) -> SystemResult | None:
        """A system by name, if it has finished."""
        return next((found for found in self.systems if found.system.name == name), None)

    def pairs(self) -> list[tuple[SystemResult, SystemResult]]:
        """Each plain system with the one that improves on it."""
        found = [(self.find(improved.system.base), improved) for improved in self.systems]
        return [(base, improved) for base, improved in found if base is not None]

    def best(self, measure: str, but: SystemResult | None = None) -> SystemResult | None:
        """The system with the greatest mean."""
        others = [found for found in self.systems if found is not but and not np.isnan(found.mean(measure))]
        return max(others, key=lambda found: found.mean(measure), default=None)

    def names(self, measure: str) -> list[str]:
        """A measure at all list lengths, such as ``NDCG@5``, ``NDCG@10``."""
        return [f"{measure}@{k}" for k in self.protocol.topk]

    def has(self, measure: str) -> bool:
        """Whether systems have values of a measure for each user."""
        return bool(self.systems) and all(measure in found.per_user for found in self.systems)


def gather(plan: Plan, protocol: Protocol, runs: Sequence[Run], store: RunStore) -> Results:
    """Read the finished ones of some runs."""
    shown = {f"{m.lower()}@{k}": f"{m}@{k}" for m in protocol.measures for k in protocol.topk}
    systems, users = [], None
    for system in plan.systems:
        done = [run for run in runs if run.system == system and store.is_finished(run)]
        if done:
            systems.append(_gather_system(system, done, store, shown))
            if users is None:
                users = pd.read_parquet(store.folder(done[0]) / "users.parquet")
    if users is None:
        users = pd.DataFrame({"user": [], "history_plays": [], "repeat_share": []})
    return Results(plan, protocol, systems, users.groupby("user").mean().reset_index())


def _gather_system(
    system: System, done: Sequence[Run], store: RunStore, shown: Mapping[str, str]
) -> SystemResult:
    results, frames = {}, []
    for run in done:
        result = json.loads((store.folder(run) / "result.json").read_text())
        values = pd.read_parquet(store.folder(run) / "per_user.parquet")
        exact = values.groupby("metric")["value"].mean().to_dict()
        found = {name: np.nan if x is None else x for name, x in result["test_result"].items()}
        result["test_result"] = {shown.get(name, name): x for name, x in {**found, **exact}.items()}
        results[run.seed] = result
        frames.append(values)
    values = pd.concat(frames).pivot_table(index="user", columns="metric", values="value", aggfunc="mean")
    return SystemResult(system, results, values.rename(columns=dict(shown)))
