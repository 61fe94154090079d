from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.data.targets import GradedTargets, choose, grade
from recbole_popaware.plays.ordered import OrderedPlays

PLAYS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from([2.0, 1.0, -1.0, -2.0])), max_size=40
).map(lambda plays: sorted(plays, key=lambda play: play[0]))


def in_order(plays):
    """Plays (user, item, rating), one a second."""
    users, items, ratings = zip(*plays) if plays else ((), (), ())
    users, items = (np.array(column, dtype=np.int64) for column in (users, items))
    return OrderedPlays(users, items, np.arange(len(plays)), np.array(ratings, dtype=float))


def oracle(plays):
    """Gain and positive plays of each (user, item), in order of the first play."""
    gains: dict[tuple[int, int], tuple[bool, float, int]] = {}
    for user, item, rating in plays:
        judged, old, positive = gains.get((user, item), (False, 0.0, 0))
        if abs(rating) > 1 or not judged:
            old = rating
        gains[user, item] = (judged or abs(rating) > 1, old, positive + (rating > 0))
    return [(user, item, max(gain, 0.0), n) for (user, item), (_, gain, n) in gains.items()]


@pytest.mark.parametrize(
    ("ratings", "gain"),
    [
        ([1], 1),
        ([-1, 1], 1),
        ([1, -1], 0),
        ([2, -1, 1], 2),
        ([-2, 1, 1], 0),
        ([2, -2], 0),
        ([-2, 2, -1], 2),
    ],
)
def test_likes_override_plays_and_the_latest_wins(ratings, gain):
    entries = grade(in_order([(1, 5, rating) for rating in ratings]))
    assert entries.gains.tolist() == [gain]


@given(plays=PLAYS)
def test_gains_agree_with_a_dictionary(plays):
    entries = grade(in_order(plays))
    assert list(zip(*(column.tolist() for column in entries))) == oracle(plays)


def test_gains_give_the_published_ndcg(golden):
    for case in golden["graded_ndcg"]["cases"]:
        numbers = {item: n for n, item in enumerate(sorted({item for item, _ in case["targets"]}))}
        entries = grade(in_order([(0, numbers[item], rating) for item, rating in case["targets"]]))
        gains = dict(zip(entries.items.tolist(), entries.gains.tolist()))
        ranked = [gains.get(numbers.get(item), 0.0) for item in case["recommended"]]
        for k, expected in case["ndcg"].items():
            discount = 1 / np.log2(np.arange(int(k)) + 2)
            best = np.sort(list(gains.values()))[::-1][: int(k)]
            ideal = best @ discount[: len(best)]
            top = np.array(ranked[: int(k)])
            value = top @ discount[: len(top)] / ideal if ideal else 0.0
            assert value == pytest.approx(expected, abs=1e-9)


def test_next_and_last_are_positive_plays():
    plays = in_order([(0, 4, -1), (0, 1, 1), (0, 2, 2), (0, 3, -1), (2, 7, -1), (3, 1, 1)])
    assert choose(plays, "all") == plays
    assert choose(plays, "next").items.tolist() == [1, 1]
    assert choose(plays, "last").items.tolist() == [2, 1]
    assert choose(plays, "last").users.tolist() == [0, 3]


def test_rows_may_be_empty_and_are_found_in_any_order():
    targets = GradedTargets.of_sizes(np.array([1, 3, 9]), np.array([1.0, 2.0, 1.0]), np.array([0, 2, 1]))
    assert targets.starts.tolist() == [0, 0, 2, 3]
    assert targets.gains.tolist() == [1, 2, 1]
    assert targets.gains[torch.tensor([1])].dtype == torch.float32
    rows, positions = targets.of_rows(torch.tensor([2, 0, 1]))
    assert rows.tolist() == [0, 2, 2]
    assert targets.items[positions].tolist() == [9, 1, 3]
