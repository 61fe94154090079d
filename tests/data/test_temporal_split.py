from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts_of_plays import LEFT_OUT, TRAIN, split_plays

from recbole_popaware.data.temporal_split import TEST, VALID, SplitRules, find_borders

PAPER = SplitRules((0.81, 0.09, 0.1), kept_users="eligible", train_until="test", valid_users=8)

RULES = st.builds(
    SplitRules,
    shares=st.sampled_from([(0.8, 0.1, 0.1), (0.81, 0.09, 0.1), (0.5, 0.25, 0.25), (0.9, 0.0, 0.1)]),
    kept_users=st.sampled_from(["any", "eligible"]),
    train_until=st.sampled_from(["valid", "test"]),
    valid_users=st.one_of(st.none(), st.integers(1, 4)),
)
LOGS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


def plays_of(log):
    users, times, positive = (np.array(column) for column in zip(*log))
    return users, times.astype(float), positive


def names(n):
    return np.array([f"u{user}" for user in range(n)])


def oracle(log, rules):
    """Split with loops and dictionaries, play by play; who is drawn is not checked here."""
    times = sorted(time for _, time, _ in log)
    test = times[int((1 - rules.shares[2]) * len(times) + 1e-9)]
    before = [time for time in times if time < test]
    row = int(rules.shares[0] / (rules.shares[0] + rules.shares[1]) * len(before) + 1e-9)
    valid = before[row] if row < len(before) else test
    of_user: dict[int, list] = {}
    for user, time, positive in log:
        of_user.setdefault(user, []).append((time, positive))
    kept, validated = set(), set()
    for user, plays in of_user.items():
        early = sum(positive and time < valid for time, positive in plays)
        middle = sum(positive and valid <= time < test for time, positive in plays)
        late = sum(positive and time >= test for time, positive in plays)
        if rules.kept_users == "any" or (late >= 1 and early > 1):
            kept.add(user)
            if rules.kept_users == "eligible" or (early and middle):
                validated.add(user)
    return (valid, test), kept, validated


def test_agrees_with_the_published_program(golden):
    users, _, times, ratings = (np.array(column) for column in zip(*golden["events"]))
    tokens, codes = np.unique(users, return_inverse=True)
    expected = golden["global_temporal_split"]
    split, part = split_plays(codes, times, ratings > 0, PAPER, tokens)
    assert split.borders == (expected["valid_border"], expected["test_border"])
    assert sorted(tokens[split.kept]) == expected["eligible_users"]
    assert np.flatnonzero(part == TEST).tolist() == expected["test_rows"]
    early = np.flatnonzero((ratings > 0) & ((part == TRAIN) | (part == VALID))).tolist()
    assert early == [row for row in expected["train_rows"] if ratings[row] > 0]


def test_validation_users_are_drawn_from_the_sorted_names(golden):
    users, _, times, ratings = (np.array(column) for column in zip(*golden["events"]))
    eligible = golden["global_temporal_split"]["eligible_users"]
    drawn = np.random.RandomState(31337).choice(eligible, 8, replace=False)
    for tokens in (np.unique(users), np.unique(users)[::-1]):  # whatever the numbers of the users
        number = {token: code for code, token in enumerate(tokens)}
        codes = np.array([number[user] for user in users])
        split, part = split_plays(codes, times, ratings > 0, PAPER, tokens)
        assert set(tokens[split.validated]) == set(drawn)
        in_between = (times >= split.borders.valid) & (times < split.borders.test)
        trained = np.isin(users, eligible) & ~np.isin(users, drawn) & (ratings > 0)
        assert set(users[part == VALID]) <= set(drawn)
        assert set(part[in_between & trained]) == {TRAIN}


@pytest.mark.parametrize(
    ("times", "shares", "borders"),
    [
        (range(10), (0.8, 0.1, 0.1), (8, 9)),
        (range(100), (0.81, 0.09, 0.1), (81, 90)),
        (range(30), (0.7, 0.2, 0.1), (21, 27)),
        (
            [0, 0, 0, 0, 1, 1, 1, 1, 2, 2],
            (0.6, 0.2, 0.2),
            (1, 2),
        ),  # ties: the whole time goes to the later side
        ([0, 1, 2, 3, 3, 3, 3, 3, 3, 3], (0.6, 0.2, 0.2), (2, 3)),
        (range(10), (0.9, 0, 0.1), (9, 9)),
        ([5], (0.8, 0.1, 0.1), (5, 5)),
    ],
)
def test_borders_made_by_hand(times, shares, borders):
    assert find_borders(np.array(times)[::-1], shares) == borders


@given(
    times=st.lists(st.integers(-100, 100) | st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=40),
    shares=st.sampled_from([(0.8, 0.1, 0.1), (0.81, 0.09, 0.1), (0.5, 0.0, 0.5), (0.1, 0.9, 0.0)]),
)
def test_times_of_few_bits_have_the_same_borders(times, shares):
    wide = np.array(times, float)
    ordered = np.sort(wide)
    borders = find_borders(wide, shares)
    assert find_borders(wide.astype(np.int32), shares) == borders
    rank = len(times) - math.ceil(Fraction(str(shares[2])) * len(times))
    assert borders.test == (ordered[rank] if rank < len(times) else math.inf)
    before = ordered[ordered < borders.test]
    rank = math.floor(Fraction(str(shares[0])) / (1 - Fraction(str(shares[2]))) * len(before))
    assert borders.valid == (before[rank] if rank < len(before) else borders.test)
    if max(map(abs, times)) < 128:
        assert find_borders(wide.astype(np.int8), shares) == borders


@given(log=LOGS, rules=RULES)
def test_every_play_is_in_exactly_one_part_and_on_its_side_of_the_border(log, rules):
    users, times, positive = plays_of(log)
    split, part = split_plays(users, times, positive, rules, names(5))
    valid, test = split.borders
    assert (times[part == TRAIN] < (valid if rules.train_until == "valid" else test)).all()
    assert ((times >= valid) & (times < test))[part == VALID].all()
    assert (times[part == TEST] >= test).all()
    for user in range(5):
        own = users == user
        latest = times[own & (part == TRAIN)].max(initial=-1)
        assert (times[own & ((part == VALID) | (part == TEST))] > latest).all()


@given(log=LOGS, rules=RULES)
def test_agrees_with_loops_and_dictionaries(log, rules):
    split, parts = split_plays(*plays_of(log), rules, names(5))
    borders, kept, candidates = oracle(log, rules)
    assert split.borders == borders
    assert set(np.flatnonzero(split.kept)) == kept
    validated = set(np.flatnonzero(split.validated))
    if rules.valid_users is None:
        assert validated == candidates
    else:
        assert validated <= candidates
        assert len(validated) == min(rules.valid_users, len(candidates))
    for (user, time, positive), part in zip(log, parts):
        if user not in kept:
            expected = LEFT_OUT
        elif time >= borders[1]:
            expected = TEST
        elif time < borders[0] or (rules.train_until == "test" and user not in validated):
            expected = TRAIN if positive else LEFT_OUT
        else:
            expected = VALID
        assert part == expected


@given(log=LOGS, rules=RULES, data=st.data())
def test_the_order_of_the_log_does_not_matter(log, rules, data):
    order = np.array(data.draw(st.permutations(range(len(log)))))
    plays = plays_of(log)
    split, part = split_plays(*plays, rules, names(5))
    moved, part_of_moved = split_plays(*(column[order] for column in plays), rules, names(5))
    assert moved.borders == split.borders
    assert np.array_equal(part_of_moved, part[order])
    assert np.array_equal(moved.validated, split.validated)
