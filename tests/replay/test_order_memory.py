from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from small_logs import N_ITEMS, log_of, logs

from recbole_popaware.replay import order
from recbole_popaware.replay.moments import Records
from recbole_popaware.replay.order import MEMORIES, ORDER_FEATURES, Matching, order_features, recall

few_items = logs(n_items=4, most=40)


def loop(history, matching, most=200):
    """Votes and matches of one history, in Python."""
    votes: Counter[int] = Counter()
    last = len(history) - matching.lag
    if last < 0:
        return votes, 0
    suffix = range(matching.suffix + 1)
    voters = [p for p, item in enumerate(history) if item == history[last]][-most:]
    matches = [
        p for p in voters if p < last and all(b <= p and history[p - b] == history[last - b] for b in suffix)
    ]
    for match in matches:
        for distance, item in enumerate(history[match + matching.lag :][: matching.reach], 1):
            votes[item] += 1 / (1 + distance)
    return votes, len(matches)


def check(log, matching, most=200):
    store, moments = log.store, log.moments()
    records = Records.of(store, moments, N_ITEMS)
    votes, matches = recall(records, store.items, matching)
    items, rows = records.items.tolist(), records.rows.tolist()
    histories = [[log.items[p] for p in log.before(user, end)] for user, end in log.ends()]
    expected = [loop(history, matching, most) for history in histories]
    assert matches.tolist() == [n for _, n in expected]
    assert votes.tolist() == pytest.approx([expected[row][0][item] for row, item in zip(rows, items)])


@pytest.mark.parametrize("matching", MEMORIES, ids=str)
@settings(max_examples=50)
@given(log=few_items)
def test_recall_equals_a_loop(matching, log):
    check(log, matching)


@given(log=few_items)
def test_the_newest_matches_vote_if_there_are_many(log):
    before, order.MOST_MATCHES = order.MOST_MATCHES, 3
    try:
        check(log, Matching(2, 3), most=3)
        check(log, Matching(suffix=1), most=3)
    finally:
        order.MOST_MATCHES = before


def votes_of(history, matching):
    log = log_of(history)
    records = Records.of(log.store, log.moments().at(slice(-1, None)), N_ITEMS)
    votes, matches = recall(records, log.store.items, matching)
    letters = ["abcdef"[item - 1] for item in records.items.tolist()]
    return dict(zip(letters, votes.tolist())), matches.item()


def test_an_album_goes_on():
    """The album b c d e was played; then f, and b again: c is next."""
    votes, matches = votes_of("bcde f b", Matching(reach=5))
    assert votes == pytest.approx({"b": 1 / 6, "c": 1 / 2, "d": 1 / 3, "e": 1 / 4, "f": 1 / 5})
    assert matches == 1


def test_the_last_but_one_play_votes_for_what_came_two_plays_later():
    votes, matches = votes_of("bcde f bc", Matching(lag=2, reach=2))
    assert votes == pytest.approx({"b": 0, "c": 0, "d": 1 / 2, "e": 1 / 3, "f": 0})
    assert matches == 1


def test_a_longer_context_tells_two_matches_apart():
    history = "ab c  db e  ab"
    assert votes_of(history, Matching(reach=1))[0]["c"] == votes_of(history, Matching(reach=1))[0]["e"] == 0.5
    votes, matches = votes_of(history, Matching(reach=1, suffix=1))
    assert (votes["c"], votes["e"], matches) == (0.5, 0, 1)


def test_features_by_hand():
    log = log_of("abcda")
    records = Records.of(log.store, log.moments().at(slice(-1, None)), N_ITEMS)
    features = order_features(records, log.store.items)
    assert features.shape == (4, ORDER_FEATURES)
    b = features[1, :3].tolist()  # of the first memory: b followed a once
    assert b == pytest.approx([math.log(1 / 2 + 0.05), math.log(1 / 4 + 0.01), math.log(2)])


@settings(max_examples=30)
@given(log=logs())
def test_features_are_numbers_for_any_history(log):
    records = Records.of(log.store, log.moments(), N_ITEMS)
    features = order_features(records, log.store.items)
    assert features.shape == (len(records.keys), ORDER_FEATURES)
    assert features.isfinite().all()


@settings(max_examples=15)
@given(log=few_items)
def test_no_history_votes_in_another(log):
    """All moments at once give what each gives alone."""
    records = Records.of(log.store, log.moments(), N_ITEMS)
    together = order_features(records, log.store.items)
    alone = [
        order_features(Records.of(log.store, log.moments().at(slice(q, q + 1)), N_ITEMS), log.store.items)
        for q in range(len(records.starts))
    ]
    assert torch.equal(together, torch.cat(alone))
