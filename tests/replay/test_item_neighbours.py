from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_logs import N_ITEMS, logs

from recbole_popaware.replay import neighbours as module
from recbole_popaware.replay.neighbours import Neighbours, by_listeners, by_order


def check_best(neighbours, dense, k):
    """The K greatest entries of each row of a matrix, in falling order; padding behind them."""
    assert neighbours.items.shape == neighbours.weights.shape == (len(dense), k)
    for row, (items, weights) in enumerate(zip(neighbours.items.tolist(), neighbours.weights.tolist())):
        best = np.sort(dense[row][dense[row] > 0])[::-1][:k]
        assert weights == pytest.approx([*best, *[0] * (k - len(best))], rel=1e-5)
        chosen = items[: len(best)]
        assert len(set(chosen)) == len(best)
        assert weights[: len(best)] == pytest.approx(dense[row][chosen], rel=1e-5)
        assert items[len(best) :] == [0] * (k - len(best))


@given(log=logs(), k=st.integers(1, 8))
def test_neighbours_by_listeners_equal_the_dense_formula(log, k):
    played = np.zeros((4, N_ITEMS))
    played[log.users, log.items] = 1
    n = played.sum(0) + 10
    dense = played.T @ played / np.sqrt(np.outer(n, n))
    np.fill_diagonal(dense, 0)
    check_best(by_listeners(*log.columns[:2], N_ITEMS, k), dense, k)


@given(log=logs(), k=st.integers(1, 8))
def test_neighbours_in_order_equal_a_loop(log, k):
    follows = np.zeros((N_ITEMS, N_ITEMS))
    for one in range(len(log.items)):
        for other in range(one + 1, min(one + 6, len(log.items))):
            if log.users[one] == log.users[other]:
                follows[log.items[one], log.items[other]] += 1 / (other - one)
    dense = follows / (follows.sum(1, keepdims=True) + 5)
    np.fill_diagonal(dense, 0)
    check_best(by_order(*log.columns[:2], N_ITEMS, k), dense, k)


def test_of_equal_neighbours_those_of_smaller_ids_are_kept():
    users, items = torch.tensor([1] * 5), torch.tensor([5, 3, 4, 2, 1])
    assert by_listeners(users, items, 6, 2).items.tolist() == [[0, 0], [2, 3], [1, 3], [1, 2], [1, 2], [1, 2]]


def test_slices_of_the_product_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    users = torch.randint(1, 9, (200,), generator=generator).sort().values
    items = torch.randint(1, 30, (200,), generator=generator)
    whole, nearest = by_listeners(users, items, 30, 4), module._nearest
    monkeypatch.setattr(module, "_AT_ONCE", 0)
    monkeypatch.setattr(module, "_nearest", lambda left, right, k: nearest(left, right, k, least_rows=7))
    for one, other in zip(whole, by_listeners(users, items, 30, 4)):
        assert torch.equal(one, other)


@pytest.mark.parametrize("count", [by_listeners, by_order])
def test_nobody_has_played_anything(count):
    nothing = torch.zeros(0, dtype=torch.int64)
    assert [column.tolist() for column in count(nothing, nothing, 3, 2)] == [[[0, 0]] * 3] * 2


def test_a_play_reaches_the_neighbours_of_its_item():
    neighbours = Neighbours(
        torch.tensor([[0, 0], [2, 3], [1, 0]]), torch.tensor([[0, 0], [0.5, 0.2], [1, 0]])
    )
    items, values = neighbours.reached(torch.tensor([1, 2]), torch.tensor([2.0, 3.0]))
    assert items.tolist() == [[2, 3], [1, 0]]
    assert values.tolist() == [pytest.approx([1, 0.4]), [3, 0]]


@pytest.mark.parametrize("at_once", [1, 40, 10**6])
def test_neighbours_in_order_are_the_same_some_items_at_a_time(monkeypatch, at_once):
    generator = torch.Generator().manual_seed(5)
    users = torch.randint(6, (300,), generator=generator).sort().values
    items = torch.randint(30, (300,), generator=generator)
    whole = by_order(users, items, 30, 4)
    monkeypatch.setattr(module, "_PLAYS_AT_ONCE", at_once)
    for ours, expected in zip(by_order(users, items, 30, 4), whole):
        assert torch.equal(ours, expected)
