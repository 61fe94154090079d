from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays import explore_share
from recbole_popaware.plays.explore_share import ExploreShares
from recbole_popaware.plays.history import PlayHistory


def store(*items_of_users):
    """A store of users 1, 2, ... with their items in order of time."""
    users = np.repeat(np.arange(1, len(items_of_users) + 1), [len(items) for items in items_of_users])
    items = np.array([item for items in items_of_users for item in items], dtype=np.int64)
    return PlayHistory.from_sorted(users, items, np.arange(len(items)), len(items_of_users) + 1)


timelines = st.lists(st.lists(st.integers(1, 6), max_size=8), min_size=1, max_size=4)


def test_shares_by_hand(monkeypatch):
    monkeypatch.setattr(explore_share, "HALF_LIFE", 1)
    monkeypatch.setattr(explore_share, "PRIOR_PLAYS", 2)
    shares = ExploreShares.of_everybody(store([5, 6, 5], [], [6]))
    assert shares.new.tolist() == [True, True, False, True]
    # user 1: plays weigh 1/4, 1/2 and 1, of which 3/4 are new; user 3: one play, new
    assert shares.everybody == pytest.approx((0.75 + 1) / (1.75 + 1))
    expected = [(0.75 + 2 * shares.everybody) / 3.75, shares.everybody, (1 + 2 * shares.everybody) / 3]
    assert shares.latest(torch.tensor([1, 2, 3])).tolist() == pytest.approx(expected)
    of_two = shares.at(torch.tensor([1]), torch.tensor([2])).item()  # plays weigh 1/2 and 1, both new
    assert of_two == pytest.approx((1.5 + 2 * shares.everybody) / 3.5)


@given(timelines, st.data())
def test_only_plays_before_the_cutoff_count(users, data):
    cuts = [data.draw(st.integers(0, len(items))) for items in users]
    whole, cut = store(*users), store(*(items[:end] for items, end in zip(users, cuts)))
    ends = whole.starts[:-1].clone()
    ends[1:] += torch.tensor(cuts)
    numbers = torch.arange(len(users) + 1)
    actual, expected = ExploreShares.of_everybody(whole, ends), ExploreShares.of_everybody(cut)
    assert actual.everybody == expected.everybody
    assert torch.equal(actual.at(numbers, ends), expected.latest(numbers))


@given(timelines)
def test_shares_lie_between_the_user_s_own_and_everybody_s(users):
    shares = ExploreShares.of_everybody(store(*users))
    for share, items in zip(shares.latest(torch.arange(1, len(users) + 1)).tolist(), users):
        first = [items.index(item) == n for n, item in enumerate(items)]
        weights = [2 ** ((n + 1 - len(items)) / explore_share.HALF_LIFE) for n in range(len(items))]
        own = float(np.average(first, weights=weights)) if items else shares.everybody
        low, high = sorted((own, shares.everybody))
        assert low - 1e-5 <= share <= high + 1e-5


def test_a_long_history_speaks_for_itself():
    fan, explorer = [1] * 1000, list(range(1, 1001))
    shares = ExploreShares.of_everybody(store(fan, explorer, []))
    assert shares.everybody == pytest.approx(0.5, abs=1e-4)
    of_fan, of_explorer, of_nobody = shares.latest(torch.tensor([1, 2, 3])).tolist()
    assert of_fan < 0.07
    assert of_explorer > 0.93
    assert of_nobody == pytest.approx(shares.everybody)


def test_nobody_s_plays_have_no_share():
    assert ExploreShares.of_everybody(store([], [])).latest(torch.tensor([1, 2])).tolist() == [0, 0]
