"""Which systems are compared with each other, and what the tests say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy
from recbole_popaware.experiments.report.significance import PairedTest, compare
from recbole_popaware.experiments.report.tables import Cell, Table

LEVEL = 0.05
EXPLANATION = (
    "Paired t-test over the test users (two-sided; values are first averaged over the seeds), with the "
    "p-values Bonferroni-adjusted over the measures of a comparison, not over the comparisons. The interval "
    "of the difference is a bootstrap over users (2,000 draws). Users for whom a measure is undefined are "
    "left out of it. The tests speak about users, not about seeds: they do not say what another training "
    "would bring."
)
_PERSONAL_COUNTS = "PersonalizedMostPop"


@dataclass(frozen=True)
class Comparison:
    """Two systems, and what each measure says.

    Attributes:
        first, second: Names.
        kind: Why they are compared.
        tests: One a measure.
    """

    first: str
    second: str
    kind: str
    tests: Sequence[PairedTest]


def all_comparisons(results: Results) -> list[Comparison]:
    """Each base with each variant, and personal counts with the best other system."""
    pairs = [(base, variant, "base and variant") for base, variant in results.pairs()]
    counts = next((result for result in results.systems if result.system.model == _PERSONAL_COUNTS), None)
    best = results.best(results.protocol.main, but=counts)
    if counts is not None and best is not None:
        pairs.append((counts, best, "personal counts and the best other system"))
    return [_compare(results, *pair) for pair in pairs]


def _compare(results: Results, first: SystemResult, second: SystemResult, kind: str) -> Comparison:
    accuracy = [name for name in results.measures() if is_accuracy(name)]
    measures = [name for name in accuracy if name in first.per_user and name in second.per_user]
    users = first.per_user.index.intersection(second.per_user.index)
    values = (result.per_user.loc[users, measures].to_numpy(dtype=np.float64) for result in (first, second))
    return Comparison(first.name, second.name, kind, compare(measures, *values))


def as_table(comparison: Comparison) -> Table:
    """A row a measure."""
    first, second = comparison.first, comparison.second
    columns = ["measure", "users", first, second, "difference [95 %]", "p", "p adjusted", "verdict"]
    rows = [[Cell(text) for text in _row(test)] for test in comparison.tests]
    return Table(f"{first} → {second}: {comparison.kind}", columns, rows, ("measure", "verdict"))


def as_markdown(results: Results, comparisons: Sequence[Comparison]) -> str:
    """The file ``significance.md``."""
    tables = [as_table(comparison).markdown() for comparison in comparisons]
    nothing = "Nothing to compare: no system has a finished base."
    return (
        "\n\n".join([f"# {results.plan.name}: tests of significance", EXPLANATION, *(tables or [nothing])])
        + "\n"
    )


def _row(test: PairedTest) -> tuple[str, ...]:
    return (
        *(test.measure, str(test.users), f"{test.first:.4f}", f"{test.second:.4f}"),
        f"{_signed(test.difference)} [{_signed(test.low)}, {_signed(test.high)}]",
        *(p_text(test.p), p_text(test.adjusted), verdict(test)),
    )


def _signed(number: float) -> str:
    return f"{round(number, 4) + 0.0:+.4f}"  # adding 0 makes -0 a plain one


def p_text(p: float) -> str:
    """A p-value as people write it."""
    if np.isnan(p):
        return "-"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def verdict(test: PairedTest) -> str:
    """Say in a word what the adjusted p-value allows to say about the second system."""
    if not test.adjusted < LEVEL:
        return "no difference shown"
    return "better" if test.difference > 0 else "worse"
