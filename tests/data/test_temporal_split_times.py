"""The global temporal split at given times, with gaps before them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from parts_of_plays import LEFT_OUT, TRAIN, split_plays

from recbole_popaware.data.temporal_split import TEST, VALID, Borders, SplitRules


def split(plays, **rules):
    users, times, positive = (np.array(column) for column in zip(*plays))
    names = np.array([f"u{user}" for user in range(users.max() + 1)])
    return split_plays(users, times.astype(float), positive, SplitRules(**rules), names)


def test_plays_in_a_gap_are_in_no_part():
    plays = [(0, time, True) for time in (0, 6, 7, 9, 10, 14, 15, 17, 18, 30)]
    parts = split(plays, borders=Borders(10, 18), gap=3)[1].tolist()
    assert parts == [TRAIN, TRAIN, LEFT_OUT, LEFT_OUT, VALID, VALID, LEFT_OUT, LEFT_OUT, TEST, TEST]


def test_without_validation_training_goes_on_to_the_gap_before_the_test():
    plays = [(0, time, True) for time in (0, 14, 15, 17, 18)]
    assert split(plays, borders=Borders(18, 18), gap=3)[1].tolist() == [
        TRAIN,
        TRAIN,
        LEFT_OUT,
        LEFT_OUT,
        TEST,
    ]


def test_users_without_a_positive_training_play_are_left_out():
    plays = [(0, 1, True), (0, 20, True), (1, 1, False), (1, 20, True), (2, 12, True), (2, 20, True)]
    rules = {"borders": Borders(10, 18), "kept_users": "trained"}
    assert split(plays, **rules)[1].tolist() == [TRAIN, TEST, *[LEFT_OUT] * 4]
    assert split(plays, **{**rules, "borders": Borders(18, 18)})[0].kept.tolist() == [True, False, True]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([(10, 20), (15, 15), (0, 30)]),
    st.integers(0, 6),
)
def test_every_play_is_where_its_time_says(plays, borders, gap):
    valid, test = borders
    for (_, time, positive), part in zip(plays, split(plays, borders=Borders(valid, test), gap=gap)[1]):
        if time >= test:
            assert part == TEST
        elif time < valid - gap:
            assert part == (TRAIN if positive else LEFT_OUT)
        elif valid <= time < test - gap:
            assert part == VALID
        else:
            assert part == LEFT_OUT
