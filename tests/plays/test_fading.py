"""Plays of everybody that count less the older they are."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays import columns
from recbole_popaware.plays.fading import faded_plays
from recbole_popaware.plays.history import PlayHistory

N_USERS, N_ITEMS, HOUR = 4, 6, 3600
plays = st.lists(
    st.tuples(st.integers(1, N_USERS - 1), st.integers(1, N_ITEMS - 1), st.integers(0, 10**7)), max_size=30
)


@given(plays, st.randoms(use_true_random=False), st.sampled_from([1.0, 168.0]), st.integers(1, 40))
def test_sums_are_those_of_a_loop_over_plays(plays, random, hours, at_once):
    plays = sorted(plays, key=lambda play: (play[0], play[2]))
    users, items, times = np.array(plays, dtype=np.int64).reshape(-1, 3).T
    history = PlayHistory.from_sorted(users, items, times, N_USERS)
    begin, ends = history.starts[:-1], history.starts[1:]
    until = torch.tensor([random.randint(int(a), int(b)) for a, b in zip(begin, ends)])
    counted = [(items[p], times[p]) for a, b in zip(begin, until) for p in range(a, b)]
    newest = max((time for _, time in counted), default=0)
    expected = np.zeros(N_ITEMS)
    for item, time in counted:
        expected[item] += 0.9 ** ((newest - time) / HOUR / hours)
    before, columns.COUNTED_AT_ONCE = columns.COUNTED_AT_ONCE, at_once
    try:
        actual = faded_plays(history, until, N_ITEMS, hours)
    finally:
        columns.COUNTED_AT_ONCE = before
    np.testing.assert_allclose(actual, expected, rtol=1e-9)
