from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import RandomSampler

from recbole_popaware.data import indices
from recbole_popaware.data.indices import ChunkedRandomSampler, Cipher, Indices


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.integers(2, 700), st.integers(0, 100))
def test_every_number_comes_once(n, seed):
    order = Cipher(n, seeded(seed)).at(np.arange(n))
    assert sorted(order.tolist()) == list(range(n))


def test_any_part_of_the_order_is_that_of_the_whole():
    order = Cipher(1000, seeded())
    assert np.array_equal(order.at(np.arange(300, 500)), order.at(np.arange(1000))[300:500])


def test_the_order_is_as_good_as_a_drawn_one():
    n = 1 << 16
    order = Cipher(n, seeded(1)).at(np.arange(n))
    other = Cipher(n, seeded(2)).at(np.arange(n))
    for one, two in ((order, np.arange(n)), (order, other), (order[1:], order[:-1])):
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.02  # five standard errors
    assert abs(np.mean(np.abs(np.diff(order))) / n - 1 / 3) < 0.01
    counts = np.histogram2d(order, np.arange(n), bins=16)[0]
    assert ((counts - n / 256) ** 2 / (n / 256)).sum() == pytest.approx(225, abs=110)  # chi-square, 15 x 15


def test_few_rows_come_in_torch_s_order_and_many_in_another(monkeypatch):
    ours, torch_s = (
        kind(Indices(range(50)), generator=seeded()) for kind in (ChunkedRandomSampler, RandomSampler)
    )
    assert [list(ours) for _ in range(3)] == [list(torch_s) for _ in range(3)]
    monkeypatch.setattr(indices, "DRAWN_AT_ONCE", 49)
    monkeypatch.setattr(indices, "_CHUNK", 8)
    first, second = list(ours), list(ours)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
