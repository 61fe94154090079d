"""Is one system better than another beyond chance? Paired tests over users, as functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

DRAWS = 2000
_BLOCK = 4_000_000  # weights in memory at once, 32 MB

Array = np.ndarray


@dataclass(frozen=True)
class PairedTest:
    """One measure of two systems over the same users.

    Attributes:
        measure: Name of the measure.
        users: Number of users for whom the measure is defined.
        first, second: Means of the two systems.
        difference: ``second - first``.
        low, high: Bootstrap interval of the difference, 95 %.
        p: Two-sided p-value of the paired t-test.
        adjusted: The same times the number of measures, at most 1 (Bonferroni).
    """

    measure: str
    users: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    adjusted: float


def compare(measures: list[str], first: Array, second: Array, seed: int = 0) -> list[PairedTest]:
    """Compare two systems.

    Args:
        measures: M names.
        first: ``[U, M]`` values of the first system, ``nan`` where a measure is undefined for a user.
        second: ``[U, M]`` values of the second one for the same users.
        seed: Of the bootstrap.
    """
    differences = second - first
    intervals = bootstrap_intervals(differences, seed=seed)
    tests = []
    for m, measure in enumerate(measures):
        defined = ~np.isnan(differences[:, m])
        x, y = first[defined, m], second[defined, m]
        p = paired_t_test(x, y)
        means = (float(x.mean()), float(y.mean())) if len(x) else (np.nan, np.nan)
        low, high = (float(end) for end in intervals[m])
        adjusted = bonferroni(p, len(measures))
        tests.append(PairedTest(measure, len(x), *means, means[1] - means[0], low, high, p, adjusted))
    return tests


def paired_t_test(first: Array, second: Array) -> float:
    """Two-sided p-value of Student's t-test on the differences of pairs.

    Args:
        first: ``[U]``.
        second: ``[U]``, of the same users.

    Returns:
        The p-value; 1 where all pairs are equal, ``nan`` for fewer than two pairs.
    """
    if len(first) < 2:
        return float("nan")
    differences = np.asarray(second, dtype=np.float64) - first
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():  # no spread: the test divides by 0
        return 1.0 if differences[0] == 0 else 0.0
    return float(stats.ttest_rel(first, second).pvalue)


def bonferroni(p: float, tests: int) -> float:
    """P-value that accounts for that many tests; ``nan`` stays."""
    return float(np.minimum(1.0, p * tests))


def bootstrap_intervals(values: Array, draws: int = DRAWS, level: float = 0.95, seed: int = 0) -> Array:
    """Percentile bootstrap of means: users are drawn with replacement, for all measures alike.

    Args:
        values: ``[U, M]``; ``nan`` is left out of its column's mean.
        draws: How many samples of users.
        level: Share of the sampled means inside the interval.
        seed: Of the draws.

    Returns:
        ``[M, 2]`` lower and upper ends; ``nan`` for a column without values.
    """
    n_users, n_measures = values.shape
    if n_users == 0:
        return np.full((n_measures, 2), np.nan)
    rng, defined = np.random.default_rng(seed), ~np.isnan(values)
    filled = np.where(defined, values, 0.0)
    at_once = max(1, _BLOCK // n_users)
    means = []
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        drawn = rng.integers(n_users, size=(size, n_users)) + n_users * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users)
        weights = weights.astype(np.float64)
        counts = weights @ defined
        means.append(np.divide(weights @ filled, counts, out=np.full(counts.shape, np.nan), where=counts > 0))
    sampled = np.concatenate(means)
    ends = np.full((n_measures, 2), np.nan)
    some = defined.any(axis=0)
    tail = (1 - level) / 2
    ends[some] = np.nanquantile(sampled[:, some], [tail, 1 - tail], axis=0).T
    return ends


def mean_interval(values: Array, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and the ends of its t-interval; ``nan`` values are left out, one value gives an empty interval."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return (np.nan, np.nan, np.nan)
    mean = float(values.mean())
    if len(values) == 1:
        return (mean, mean, mean)
    half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half
