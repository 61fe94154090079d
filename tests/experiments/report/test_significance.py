from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recbole_popaware.experiments.report.significance import (
    bonferroni,
    bootstrap_intervals,
    compare,
    mean_interval,
    paired_t_test,
)

VALUES = st.floats(-1, 1, width=32)
SAMPLES = arrays(np.float64, st.integers(1, 40), elements=VALUES)


def test_the_paired_t_test_agrees_with_the_golden_value(golden):
    case = golden["paired_t_test"]
    p = paired_t_test(np.array(case["first"]), np.array(case["second"]))
    assert p == pytest.approx(case["p_value"], rel=1e-9)


def test_the_paired_t_test_by_hand():
    # Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t = 2 sqrt(3) with 2 degrees of freedom,
    # whose distribution function is known in closed form.
    t = 2 * math.sqrt(3)
    expected = 1 - t / math.sqrt(2 + t * t)
    assert paired_t_test(np.zeros(3), np.array([1.0, 2.0, 3.0])) == pytest.approx(expected)


def test_samples_that_the_t_test_cannot_take():
    assert paired_t_test(np.array([0.5, 0.2]), np.array([0.5, 0.2])) == 1.0
    assert paired_t_test(np.array([0.0, 0.0]), np.array([0.5, 0.5])) == 0.0
    assert math.isnan(paired_t_test(np.array([0.5]), np.array([0.6])))


@given(SAMPLES)
def test_the_t_test_does_not_care_who_comes_first(values):
    other = values[::-1].copy()
    assert paired_t_test(values, other) == pytest.approx(paired_t_test(other, values), nan_ok=True)


@pytest.mark.parametrize(("p", "tests", "adjusted"), [(0.01, 4, 0.04), (0.5, 4, 1.0), (0.0, 9, 0.0)])
def test_bonferroni(p, tests, adjusted):
    assert bonferroni(p, tests) == pytest.approx(adjusted)
    assert math.isnan(bonferroni(math.nan, tests))


def test_the_bootstrap_of_one_value_is_that_value():
    assert bootstrap_intervals(np.full((7, 2), 0.25)) == pytest.approx(np.full((2, 2), 0.25))


def test_the_bootstrap_agrees_with_theory_for_many_users():
    values = np.random.default_rng(3).normal(2.0, 1.0, size=(2500, 1))
    low, high = bootstrap_intervals(values)[0]
    half = 1.96 * values.std() / 50
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.005)


@given(SAMPLES, st.integers(0, 5))
def test_bootstrap_means_stay_within_the_values(values, seed):
    low, high = bootstrap_intervals(values[:, None], draws=50, seed=seed)[0]
    assert values.min() - 1e-9 <= low <= high <= values.max() + 1e-9


def test_undefined_values_are_left_out_of_their_column_only():
    values = np.array([[1.0, 5.0, np.nan], [1.0, np.nan, np.nan], [1.0, 5.0, np.nan]])
    intervals = bootstrap_intervals(values, draws=200)
    assert intervals[:2].tolist() == [[1.0, 1.0], [5.0, 5.0]]
    assert np.isnan(intervals[2]).all()
    assert np.isnan(bootstrap_intervals(np.empty((0, 2)))).all()


def test_blocks_do_not_change_the_shape(monkeypatch):
    values = np.random.default_rng(0).random((30, 2))
    monkeypatch.setattr("recbole_popaware.experiments.report.significance._BLOCK", 70)
    low, high = bootstrap_intervals(values, draws=101).T
    assert (low < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < high).all()


def test_a_comparison_counts_users_with_both_values():
    first = np.array([[0.1, np.nan], [0.2, 0.3], [0.3, 0.5]])
    second = first + np.array([[0.1, 0.0], [0.2, 0.1], [0.3, 0.3]])
    both, fewer = compare(["a", "b"], first, second)
    assert (both.users, fewer.users) == (3, 2)
    assert both.first == pytest.approx(0.2)
    assert both.second == pytest.approx(0.4)
    assert both.difference == pytest.approx(0.2)
    assert both.low <= both.difference <= both.high
    assert both.adjusted == pytest.approx(min(1.0, 2 * both.p))


def test_the_t_interval_by_hand():
    # Two values: standard error 1/2 of their distance, t quantile with 1 degree of freedom tan(0.475 pi).
    mean, low, high = mean_interval(np.array([0.0, 2.0, np.nan]))
    assert mean == 1.0
    assert high - 1 == pytest.approx(math.tan(0.475 * math.pi))
    assert 1 - low == pytest.approx(high - 1)
    assert mean_interval(np.array([0.5])) == (0.5, 0.5, 0.5)
    assert all(map(math.isnan, mean_interval(np.array([np.nan]))))
