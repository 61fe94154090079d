from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays import columns
from recbole_popaware.plays.columns import (
    RangeColumn,
    Ranges,
    RangeUsers,
    StoredColumn,
    UserColumn,
    column_of,
    count_items,
)

VALUES = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.int8)
RANGES = Ranges.of(torch.tensor([3, 1, 2]), torch.tensor([5, 0, 2]), torch.tensor([8, 2, 2]))
LAZY = {
    "stored": (StoredColumn(VALUES, torch.int64), [3, 1, 4, 1, 5, 9, 2, 6]),
    "users": (UserColumn(torch.tensor([0, 0, 3, 3, 5])), [1, 1, 1, 3, 3]),
    "positions": (RangeColumn(RANGES), [5, 6, 7, 0, 1]),
    "users of ranges": (RangeUsers(RANGES), [3, 3, 3, 1, 1]),
    "values of ranges": (RangeColumn(RANGES, StoredColumn(VALUES, torch.int64)), [9, 2, 6, 3, 1]),
}
INDICES = [
    *(2, -1, slice(1, 4), slice(None), slice(None, None, 2), [0, 3], np.array([4, 0])),
    *(torch.tensor([[1, 2], [0, 3]]), torch.tensor([True, False, True, False, True]), (slice(1, 3),), (2,)),
]


@pytest.mark.parametrize("kind", LAZY)
@pytest.mark.parametrize("index", INDICES, ids=str)
def test_a_lazy_column_is_read_like_the_tensor(kind, index):
    lazy, values = LAZY[kind]
    values = torch.tensor(values)
    if kind == "stored":
        lazy, values = StoredColumn(VALUES[:5], torch.int64), values[:5]
    read = lazy[index]
    assert read.equal(values[index])
    assert read.dtype == values.dtype


@pytest.mark.parametrize("kind", LAZY)
def test_it_computes_like_the_tensor(kind):
    lazy, values = LAZY[kind]
    values = torch.tensor(values)
    assert len(lazy) == len(values)
    assert lazy.tolist() == values.tolist()
    for ours, theirs in (
        (lazy + 1, values + 1),
        (1 - lazy, 1 - values),
        (lazy == lazy, values == values),
        (values * lazy, values * values),
        (lazy < 3, values < 3),
        (torch.cat([lazy, values]), torch.cat([values, values])),
        (lazy.sum(), values.sum()),
    ):
        assert ours.equal(theirs)


def test_an_array_that_needs_no_copy_is_a_tensor():
    times = np.array([1.0, 2.0])
    assert column_of(times, torch.float64).data_ptr() == times.ctypes.data
    assert isinstance(column_of(times, torch.float32), StoredColumn)
    times.flags.writeable = False
    assert isinstance(column_of(times, torch.float64), StoredColumn)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5),
    st.integers(1, 9),
)
def test_items_are_counted_whatever_the_block(items, pairs, at_once):
    pairs = [sorted((min(a, len(items)), min(b, len(items)))) for a, b in pairs]
    first, ends = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    expected = torch.zeros(5, dtype=torch.int64)
    for a, b in pairs:
        expected += torch.bincount(torch.tensor(items[a:b], dtype=torch.int64), minlength=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "COUNTED_AT_ONCE", at_once)
        assert count_items(torch.tensor(items), first, ends, 5).equal(expected)
