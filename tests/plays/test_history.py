from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.plays.history import PlayHistory

# user 1: items 5 6 5 at times 10 10 30; user 2: nothing; user 3: item 7
STORE = PlayHistory.from_sorted(
    np.array([1, 1, 1, 3]), np.array([5, 6, 5, 7]), np.array([10.0, 10.0, 30.0, 5.0]), n_users=4
)


def test_plays_are_kept_by_user_with_their_times():
    assert STORE.items.tolist() == [5, 6, 5, 7]
    assert STORE.starts.tolist() == [0, 0, 3, 3, 4]
    assert STORE.recency.tolist() == [10, 10, 30, 5]
    assert STORE.times is None  # which no model asked for


def test_history_ends_before_the_target():
    rows, positions = STORE.before(torch.tensor([1, 3, 1]), torch.tensor([2, 3, 1]))
    assert rows.tolist() == [0, 0, 2]
    assert positions.tolist() == [0, 1, 0]


def test_length_keeps_the_newest_plays():
    rows, positions = STORE.before(torch.tensor([1, 1]), torch.tensor([3, 1]), length=2)
    assert rows.tolist() == [0, 0, 1]
    assert positions.tolist() == [1, 2, 0]


@given(
    plays=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=40),
    length=st.one_of(st.none(), st.integers(1, 5)),
    data=st.data(),
)
def test_agrees_with_a_loop_over_rows(plays, length, data):
    plays = sorted(plays)
    users = np.array([user for user, _ in plays])
    times = np.array([time for _, time in plays])
    items = np.arange(len(plays)) + 1
    store = PlayHistory.from_sorted(users, items, times, n_users=6)
    ends = data.draw(st.lists(st.integers(0, len(plays) - 1), max_size=6))
    rows, positions = store.before(torch.tensor(users[ends]), torch.tensor(ends, dtype=torch.long), length)
    for number, end in enumerate(ends):
        own = [p for p in range(end) if users[p] == users[end]]
        assert positions[rows == number].tolist() == (own if length is None else own[-length:])


@given(
    plays=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=40),
    length=st.integers(1, 6),
    data=st.data(),
)
def test_a_window_holds_the_newest_plays_before_the_end_and_then_padding(plays, length, data):
    users, times = (np.array(column) for column in zip(*sorted(plays)))
    store = PlayHistory.from_sorted(users, np.arange(len(users)) + 1, times, n_users=6)
    ends = torch.tensor(data.draw(st.lists(st.integers(0, len(plays)), min_size=1, max_size=6)))
    own = [users[max(end - 1, 0)] for end in ends.tolist()]  # an end may be where the next user starts
    positions, inside = store.window(torch.tensor(own), ends, length)
    assert positions.shape == inside.shape == (len(ends), length)
    rows, expected = store.before(torch.tensor(own), ends, length)
    for row in range(len(ends)):
        held = positions[row][inside[row]]
        assert torch.equal(held, expected[rows == row])
        assert inside[row].tolist() == [True] * len(held) + [False] * (length - len(held))


@given(
    plays=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=40),
    length=st.one_of(st.none(), st.integers(1, 5)),
    data=st.data(),
)
def test_counts_agree_with_a_loop_over_rows(plays, length, data):
    users, items = (np.array(column) for column in zip(*sorted(plays, key=lambda play: play[0])))
    store = PlayHistory.from_sorted(users, items + 1, np.arange(len(users)), n_users=6)
    ends = data.draw(st.lists(st.integers(0, len(plays) - 1), max_size=6))
    counts = store.counts(torch.tensor(users[ends]), torch.tensor(ends, dtype=torch.long), 7, length)
    expected, totals = [], []
    for row, end in enumerate(ends):
        own = [p for p in range(end) if users[p] == users[end]]
        own = own if length is None else own[-length:]
        of_item = {item: [p for p in own if items[p] + 1 == item] for item in range(1, 7)}
        expected += [(row, item, len(at), at[0], at[-1]) for item, at in of_item.items() if at]
        totals.append(len(own))
    columns = (counts.rows, counts.items, counts.plays, counts.oldest, counts.newest)
    assert list(zip(*(column.tolist() for column in columns))) == expected
    assert counts.total(len(ends)).tolist() == totals
    known = {(row, item): plays for row, item, plays, *_ in expected}
    wanted = [[known.get((row, item), 0) for item in range(7)] for row in range(len(ends))]
    assert counts.of_items(torch.arange(7).repeat(len(ends), 1)).tolist() == wanted


def test_nobody_has_played_anything():
    nothing = ItemCounts.none(4)
    assert nothing.of_items(torch.tensor([[1, 2]])).tolist() == [[0, 0]]
    assert nothing.total(2).tolist() == [0, 0]
