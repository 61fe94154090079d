from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays import play_index
from recbole_popaware.plays.play_index import PlayIndex, Queries

N_ITEMS = 7  # ids 1 to 6
ids = st.integers(-1, N_ITEMS + 1)  # some of them outside the catalogue
windows = st.integers(1, 6).flatmap(
    lambda length: st.lists(st.lists(ids, min_size=length, max_size=length), min_size=1, max_size=4)
)


def at_every_position(windows):
    """A query at each position of windows ``[B, L]``, that position included."""
    n_rows, length = windows.shape
    rows = torch.arange(n_rows).repeat_interleave(length)
    return Queries(rows, torch.arange(n_rows * length) + 1)


def counts(windows):
    """Plays of every item at every position, counted in Python: ``[B * L, N_ITEMS]``."""
    counted = []
    for window in windows.tolist():
        for position in range(len(window)):
            seen = window[: position + 1]
            counted.append([seen.count(item) if item else 0 for item in range(N_ITEMS)])
    return torch.tensor(counted)


def dense(hits, shape):
    result = torch.zeros(shape, dtype=torch.long)
    result.view(-1)[hits.at] = hits.plays
    return result


@given(windows=windows)
def test_counts_equal_a_loop_at_every_position(windows):
    windows = torch.tensor(windows)
    plays, queries, expected = (
        PlayIndex.of_windows(windows, N_ITEMS),
        at_every_position(windows),
        counts(windows),
    )
    assert torch.equal(dense(plays.everything(queries), expected.shape), expected)
    candidates = torch.arange(N_ITEMS).expand(len(expected), -1)
    shared = plays.find_by_row(queries, candidates[: len(windows)])
    assert torch.equal(dense(shared, expected.shape), expected)
    assert torch.equal(dense(plays.find(queries, candidates), expected.shape), expected)
    assert torch.equal(plays.total(queries), expected.sum(1))
    assert torch.equal(plays.most(queries), expected.amax(1))


@given(windows=windows)
def test_pieces_of_a_search_change_nothing(windows):
    windows = torch.tensor(windows)
    plays, queries = PlayIndex.of_windows(windows, N_ITEMS), at_every_position(windows)
    candidates = torch.randint(-1, N_ITEMS + 2, (len(queries.rows), 5))
    whole = plays.find(queries, candidates)
    before = play_index.SEARCHED_AT_ONCE
    try:
        play_index.SEARCHED_AT_ONCE = 10
        pieces = plays.find(queries, candidates)
    finally:
        play_index.SEARCHED_AT_ONCE = before
    for one, other in zip(whole, pieces):
        assert torch.equal(one, other)


def test_a_hand_made_window():
    plays = PlayIndex.of_windows(torch.tensor([[4, 2, 4, 0, 99], [2, 2, 0, 0, 0]]), 6)
    at_ends = plays.at_ends()
    hits = plays.find(at_ends, torch.tensor([[4, 0, 3, 2, 99], [2, 4, 5, 2, 1]]))
    assert dense(hits, (2, 5)).tolist() == [[2, 0, 0, 1, 0], [2, 0, 0, 2, 0]]
    assert plays.total(at_ends).tolist() == [3, 2]
    assert plays.most(at_ends).tolist() == [2, 2]


def test_ages_are_counted_in_plays():
    plays = PlayIndex.of_windows(torch.tensor([[4, 2, 0, 4, 5]]), 6)  # 0 is no play
    hits = plays.find(plays.at_ends(), torch.tensor([[4]]))
    assert [part.tolist() for part in plays.ages(plays.at_ends(), hits)] == [[0, 0], [4, 2]]


def test_empty_windows_have_no_plays():
    plays = PlayIndex.of_windows(torch.zeros(2, 3, dtype=torch.long), 5)
    queries = plays.at_ends()
    assert len(plays.find(queries, torch.ones(2, 4, dtype=torch.long)).at) == 0
    assert len(plays.everything(queries).at) == 0
    assert plays.total(queries).tolist() == plays.most(queries).tolist() == [0, 0]
