"""Which systems are held against each other, and what the tests say, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recbole_popaware.experiments.report.results import Results, SystemResult, is_accuracy
from recbole_popaware.experiments.report.significance import Comparison, compare

LEVEL = 0.05
_COUNTING = "PersonalizedMostPop"


@dataclass(frozen=True)
class Contest:
    """Two systems, and what each measure says.

    Attributes:
        first, second: Names.
        question: What the contest is about.
        comparisons: One a measure.
    """

    first: str
    second: str
    question: str
    comparisons: Sequence[Comparison]


def all_contests(results: Results) -> list[Contest]:
    """Each plain system against the one that improves on it, and the counts against the best other system."""
    pairs = [(base, improved, "does it improve on its plain version?") for base, improved in results.pairs()]
    counting = next((found for found in results.systems if found.system.model == _COUNTING), None)
    best = results.best(results.protocol.main, but=counting)
    if counting is not None and best is not None:
        pairs.append((counting, best, "does the best other system beat plain counts?"))
    return [_hold(results, *pair) for pair in pairs]


def _hold(results: Results, first: SystemResult, second: SystemResult, question: str) -> Contest:
    wanted = [name for m in results.protocol.measures for name in results.names(m) if is_accuracy(name)]
    measures = [m for m in wanted if m in first.per_user and m in second.per_user]
    both = first.per_user.index.intersection(second.per_user.index)
    values = (found.per_user.loc[both, measures].to_numpy(dtype=np.float64) for found in (first, second))
    return Contest(first.system.name, second.system.name, question, compare(measures, *values))


def as_markdown(results: Results, contests: Sequence[Contest]) -> str:
    """The file ``significance.md``."""
    text = [f"# {results.plan.name}: is it more than chance?", EXPLANATION]
    for contest in contests:
        text.append(f"## {contest.first} → {contest.second}: {contest.question}")
        header = (
            "measure",
            "users",
            contest.first,
            contest.second,
            "difference [95 %]",
            "p",
            "p adjusted",
            "",
        )
        lines = [header, ("---", *["---:"] * (len(header) - 2), "---")]
        lines += [as_cells(comparison) for comparison in contest.comparisons]
        text.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    if not contests:
        text.append("Nothing to compare: no system has a finished base.")
    return "\n\n".join(text) + "\n"


EXPLANATION = (
    "Paired t-test over the test users (two-sided; values are first averaged over the seeds), with the "
    "p-values Bonferroni-adjusted over the measures of a comparison, not over the comparisons. The interval "
    "of the difference is a bootstrap over users (2,000 draws). Users for whom a measure is undefined are "
    "left out of it. The tests speak about users, not about seeds: they do not say what another training "
    "would bring."
)


def as_cells(comparison: Comparison) -> tuple[str, ...]:
    """One line of a contest's table."""
    return (
        comparison.measure,
        str(comparison.users),
        f"{comparison.first:.4f}",
        f"{comparison.second:.4f}",
        f"{_signed(comparison.difference)} [{_signed(comparison.low)}, {_signed(comparison.high)}]",
        p_text(comparison.p),
        p_text(comparison.adjusted),
        verdict(comparison),
    )


def _signed(number: float) -> str:
    return f"{round(number, 4) + 0.0:+.4f}"  # adding 0 makes -0 a plain one


def p_text(p: float) -> str:
    """A p-value as people write it."""
    if np.isnan(p):
        return "-"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def verdict(comparison: Comparison) -> str:
    """Say in a word what the adjusted p-value allows to say."""
    if not comparison.adjusted < LEVEL:
        return "no difference shown"
    return "better" if comparison.difference > 0 else "worse"
