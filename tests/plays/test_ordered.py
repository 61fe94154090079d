from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays.ordered import OrderedPlays, PlayLog, exact_order

LOGS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(0, 4), st.sampled_from([2.0, 1.0, -1.0])),
    min_size=1,
    max_size=30,
)


def columns_of(log):
    return tuple(np.array(column) for column in zip(*log))


@given(log=LOGS)
def test_the_order_is_by_user_and_time_and_then_that_of_the_log(log):
    users, _, times, _ = columns_of(log)
    assert exact_order(users, times).tolist() == sorted(range(len(log)), key=lambda n: (log[n][0], log[n][2]))


@given(log=LOGS)
def test_plays_are_chosen_by_a_mask_or_by_positions(log):
    plays = OrderedPlays(*columns_of(log))
    liked = plays.at(plays.positive)
    assert list(zip(*(column.tolist() for column in liked))) == [play for play in log if play[3] > 0]
    assert list(zip(*(column.tolist() for column in plays.at(np.array([-1]))))) == [log[-1]]


@given(ratings=st.lists(st.sampled_from([2, 1, -1, 0]), min_size=1, max_size=40), narrow=st.booleans())
def test_positive_plays_before_a_position_are_counted(ratings, narrow):
    values = np.array(ratings, np.int8 if narrow else np.float64)
    log = PlayLog(np.array([0, len(ratings)]), np.ones(len(ratings), int), np.arange(len(ratings)), values)
    before = [sum(rating > 0 for rating in ratings[:n]) for n in range(len(ratings) + 1)]
    assert log.positive_before(np.arange(len(ratings) + 1)).tolist() == before
