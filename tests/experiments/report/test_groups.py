from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recbole_popaware.experiments.report.groups import gains_by_group, quantile_groups

FEW_VALUES = arrays(np.float64, st.integers(1, 60), elements=st.integers(-5, 5).map(float))


def test_ten_users_make_five_groups_of_two():
    values = np.array([9, 1, 8, 2, 7, 3, 6, 4, 5, 0])
    assert quantile_groups(values).tolist() == [4, 0, 4, 1, 3, 1, 3, 2, 2, 0]


@given(FEW_VALUES)
def test_every_user_has_a_group_and_equal_values_share_it(values):
    groups = quantile_groups(values)
    assert len(groups) == len(values)
    assert set(groups) == set(range(groups.max() + 1))
    assert groups.max() < 5
    for value in set(values):
        assert len(set(groups[values == value])) == 1


@given(FEW_VALUES)
def test_groups_ascend_with_the_value(values):
    order = np.argsort(values, kind="stable")
    assert (np.diff(quantile_groups(values)[order]) >= 0).all()


@given(st.integers(5, 200), st.randoms())
def test_groups_of_distinct_values_differ_by_one_user_at_most(size, random):
    values = list(range(size))
    random.shuffle(values)
    sizes = np.bincount(quantile_groups(np.array(values)))
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 1


@given(FEW_VALUES)
def test_gains_of_the_groups_weigh_up_to_the_mean_gain(values):
    gains = np.arange(len(values), dtype=float)
    groups = gains_by_group(values, gains)
    assert sum(group.users for group in groups) == len(values)
    assert sum(group.users * group.mean for group in groups) / len(values) == pytest.approx(gains.mean())
    assert all(before.most < after.least for before, after in itertools.pairwise(groups))


def test_users_without_a_gain_are_left_out():
    (group,) = gains_by_group(np.array([1.0, 1.0, 2.0]), np.array([0.5, 0.7, np.nan]))
    assert (group.least, group.most, group.users) == (1.0, 1.0, 2)
    assert group.mean == pytest.approx(0.6)
