from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import N_ITEMS, Log, log_of, logs

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.replay.item_counts import CatalogueCounts
from recbole_popaware.replay.moments import Moments, Records
from recbole_popaware.replay.record import (
    NEVER,
    RECORD_FEATURES,
    USER_FEATURES,
    faded_count,
    record_features,
    user_features,
)

DAY = 24 * 3600.0


def loop(log, moments):
    """(moment, item, positions) of every pair, in Python."""
    pairs = []
    for row, (user, end) in enumerate(zip(moments.users.tolist(), moments.ends.tolist())):
        own = log.before(user, end)
        for item in sorted({log.items[p] for p in own}):
            pairs.append((row, item, [p for p in own if log.items[p] == item]))
    return pairs


@given(log=logs(), pause=st.integers(0, 100_000))
def test_records_equal_a_loop(log, pause):
    moments = log.moments(pause)
    records = Records.of(log.store, moments, N_ITEMS)
    expected = loop(log, moments)
    assert list(zip(records.rows.tolist(), records.items.tolist())) == [pair[:2] for pair in expected]
    assert records.plays.tolist() == [len(positions) for *_, positions in expected]
    assert records.positions.tolist() == [p for *_, positions in expected for p in positions]
    assert records.pair.tolist() == [d for d, (*_, positions) in enumerate(expected) for _ in positions]
    ends, now = moments.ends.tolist(), moments.now.tolist()
    assert records.ages.tolist() == [ends[row] - p for row, _, positions in expected for p in positions]
    hours = [(now[row] - log.times[p]) / 3600 for row, _, positions in expected for p in positions]
    assert records.hours.tolist() == pytest.approx(hours, rel=1e-6)
    assert records.lengths.tolist() == [len(log.before(user, end)) for user, end in log.ends()]


@given(log=logs())
def test_plays_of_an_item_are_found_in_each_history_or_are_none(log):
    moments = log.moments()
    records = Records.of(log.store, moments, N_ITEMS)
    known = {(row, item): positions for row, item, positions in loop(log, moments)}
    rows, items = torch.cartesian_prod(torch.arange(len(moments.users)), torch.arange(N_ITEMS)).T
    for row, item, begin, end in zip(rows.tolist(), items.tolist(), *records.find(rows, items)):
        assert records.positions[begin:end].tolist() == known.get((row, item), [])


@given(log=logs(), decay=st.floats(0, 3), offset=st.floats(0, 100))
def test_a_faded_count_equals_a_loop(log, decay, offset):
    moments = log.moments()
    faded = faded_count(Records.of(log.store, moments, N_ITEMS), decay, offset)
    expected = [
        sum(((moments.ends[row].item() - p + offset) / (1 + offset)) ** -decay for p in positions)
        for row, _, positions in loop(log, moments)
    ]
    assert faded.tolist() == pytest.approx(expected, rel=1e-4)


@settings(max_examples=40)
@given(log=logs(), pause=st.one_of(st.just(0), st.integers(0, 10**10)))
def test_features_are_numbers_for_any_history(log, pause):
    records = Records.of(log.store, log.moments(pause), N_ITEMS)
    counts = CatalogueCounts.of(*(column[: len(log.users) // 2] for column in log.columns), N_ITEMS)
    features = record_features(records, log.store.timed(), counts)
    assert features.shape == (len(records.keys), RECORD_FEATURES)
    assert features.isfinite().all()
    habits = user_features(records, log.store.timed()[records.moments.ends - 1])
    assert habits.shape == (len(records.starts), USER_FEATURES)
    assert habits.isfinite().all()


def test_a_record_by_hand():
    """Item 1 on Thursday at 0:00, on Friday at 0:00 and on Saturday at 1:00; item 2 an hour before that."""
    log = Log([1] * 4, [1, 1, 2, 1], [0.0, DAY, 2 * DAY, 2 * DAY + 3600])
    now = Moments(torch.tensor([1]), torch.tensor([4]), torch.tensor([2 * DAY + 2 * 3600]).double())
    records = Records.of(log.store, now, N_ITEMS)
    counts = counts_of([0, 7, 0], [0, 3, 0])
    one, two = record_features(records, log.store.timed(), counts).double().exp()
    approx = pytest.approx
    assert one[1].item() == approx(1 / 4 + 1 / 3 + 1)  # 1 / age
    assert one[5:7].tolist() == approx([3, 3 / 4])  # plays, and their share of the history
    assert one[7].item() == approx(sum(math.exp(-hours / 24) for hours in (50, 26, 1)) + 1e-3, rel=1e-5)
    assert one[10:15].tolist() == approx([1, 3, 4, 2.5, 1 / 2.5])  # newest, second, oldest; gap; overdue
    assert one[15:20].tolist() == approx([2, 27, 51, 25.5, 2 / 25.5], rel=1e-5)
    assert one[20:22].tolist() == approx([4, 4])  # 3 of the last 10 and of the last 50
    near = (math.exp(-2 / 3) + math.exp(-2 / 3) + math.exp(-1 / 3) + 0.3) / 4
    assert one[22:24].log().tolist() == approx([near, (1 + 1 / 7) / 4], rel=1e-5)
    assert one[24:].tolist() == approx([8, 8 / 4])  # plays by everybody, and a listener
    assert two[10:15].tolist() == approx([2, 4 + 1, 2, 4 + 1, 2 / 5])  # one play: no gap but the history
    assert two[15:20].tolist() == approx([3, 2 + NEVER + 1, 3, 2 + NEVER + 1, 3 / (2 + NEVER + 1)], rel=1e-5)
    assert two[24:].tolist() == approx([1, 1])


def test_habits_by_hand():
    log = log_of("abac", seconds=3600.0)
    moments = Moments(torch.tensor([1]), torch.tensor([4]), torch.tensor([5 * 3600.0]).double())
    habits = user_features(Records.of(log.store, moments, N_ITEMS), log.store.timed()[3:])
    assert habits.tolist() == [pytest.approx([math.log(4), 1 / 4, math.log(1 + 2)])]


def test_an_hour_of_the_day_is_near_the_same_hour_across_midnight():
    times = [23 * 3600.0, 12 * 3600.0 + DAY]
    log = Log([1, 1], [1, 2], times)
    now = Moments(torch.tensor([1]), torch.tensor([2]), torch.tensor([2 * DAY + 3600]).double())
    records = Records.of(log.store, now, N_ITEMS)
    hour = record_features(records, log.store.timed(), counts_of([0], [0]))[:, 22]
    assert hour.tolist() == pytest.approx([(math.exp(-2 / 3) + 0.3) / 2, (math.exp(-11 / 3) + 0.3) / 2])


def test_a_moment_before_its_newest_play_has_no_negative_ages():
    log = log_of("ab", seconds=3600.0)
    moments = Moments(torch.tensor([1]), torch.tensor([2]), torch.tensor([0.0]).double())
    assert Records.of(log.store, moments, N_ITEMS).hours.tolist() == [0, 0]


def test_a_store_without_times_is_refused():
    store = PlayHistory.from_sorted(np.array([1]), np.array([1]), np.array([1.0]), n_users=2)
    with pytest.raises(ValueError, match="keeps none"):
        Records.of(store, Moments(*(torch.tensor([1]),) * 3), 2)


def counts_of(plays, listeners):
    """Counts of everybody by item id, 0 for the rest."""
    columns = torch.zeros(6, N_ITEMS, dtype=torch.int64)
    columns[0, : len(plays)], columns[1, : len(listeners)] = torch.tensor(plays), torch.tensor(listeners)
    return CatalogueCounts(*columns)


def test_everybodys_counts_by_hand():
    """Of ten plays the tenth is the last tenth: item 3 by its second listener."""
    users = torch.tensor([1] * 8 + [2] * 2)
    items = torch.tensor([3, 3, 1, 3, 3, 3, 3, 1, 1, 3])
    times = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 18]).double() * 3600
    counts = CatalogueCounts.of(users, items, times, 5)
    assert counts.plays.tolist() == [0, 3, 0, 7, 0]
    assert counts.listeners.tolist() == [0, 2, 0, 2, 0]
    assert counts.late_plays.tolist() == [0, 0, 0, 1, 0]
    assert counts.late_listeners.tolist() == [0, 0, 0, 1, 0]
    assert counts.hours.tolist() == [0, 16, 0, 18, 0]
    assert counts.idle.tolist() == [0, 10, 0, 0, 0]
    assert counts.features[3].exp().tolist() == pytest.approx([8, 3, 2, 2, 19, 1])


@given(log=logs())
def test_everybodys_counts_equal_a_loop(log):
    counts = CatalogueCounts.of(*log.columns, N_ITEMS)
    plays = list(zip(*log))
    newest, border = max(log.times), sorted(log.times)[int(0.9 * len(log.times))]
    for item in range(N_ITEMS):
        own = [(user, time) for user, other, time in plays if other == item]
        begun = {user: min(time for other, time in own if other == user) for user, _ in own}
        assert counts.plays[item] == len(own)
        assert counts.listeners[item] == len(begun)
        assert counts.late_plays[item] == sum(time >= border for _, time in own)
        assert counts.late_listeners[item] == sum(time >= border for time in begun.values())
        ages = [(newest - time) / 3600 for _, time in own] or [0]
        assert counts.hours[item].item() == pytest.approx(max(ages))
        assert counts.idle[item].item() == pytest.approx(min(ages))


def test_without_plays_there_are_counts_of_nothing():
    none = torch.zeros(0, dtype=torch.int64)
    assert not CatalogueCounts.of(none, none, none.double(), 3).features.any()
