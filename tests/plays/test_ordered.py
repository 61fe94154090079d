from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.plays.ordered import OrderedPlays, exact_order

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
def test_histories_have_the_positive_plays_only(log):
    log = sorted(log, key=lambda play: (play[0], play[2]))
    plays = OrderedPlays(*columns_of(log))
    history = plays.history(n_users=5, keep_times=True)
    for user in range(5):
        own = slice(*history.starts[user : user + 2])
        kept = [(item, time) for of, item, time, rating in log if of == user and rating > 0]
        assert list(zip(history.items[own].tolist(), history.times[own].tolist())) == kept
    assert plays.at(plays.positive).positive.all()
    assert plays.history(n_users=5).times is None
