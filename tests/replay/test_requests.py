from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import N_ITEMS, N_USERS, Log, log_of, logs

from recbole_popaware.replay.requests import NEXT_PLAYS, SHARES, WIDTH, at_borders, next_plays


def trained_before(log, border):
    """As under GTS: the plays before a border in time."""
    return torch.tensor(log.times) < border


def trained_but_last(log, n=2):
    """As under leave-one-out: all plays of each user but the last ones."""
    users = torch.tensor(log.users)
    return torch.cat([users[n:] == users[:-n], torch.zeros(n, dtype=torch.bool)])[: len(users)]


def targets_by_moment(part):
    moments = part.targets // N_ITEMS
    return [set((part.targets[moments == row] % N_ITEMS).tolist()) for row in range(len(part.moments.users))]


@settings(max_examples=60)
@given(log=logs(), share=st.floats(0.05, 0.95), data=st.data())
def test_requests_at_a_border_equal_a_loop(log, share, data):
    border = data.draw(st.sampled_from(log.times)) + 1
    trained = trained_before(log, border)
    (part,) = at_borders(log.store, trained, N_ITEMS, [share])
    times = sorted(time for time in log.times if time < border)
    now, until = (times[min(int(x * len(times)), len(times) - 1)] for x in (share, share + WIDTH))
    assert part.known.tolist() == [time < now for time in log.times]
    moments, targets = [], []
    for user in range(1, N_USERS):
        own = log.before(user, len(log.users))
        history = [p for p in own if log.times[p] < now]
        answers = {log.items[p] for p in own if now <= log.times[p] < until}
        if history and answers:
            moments.append((user, history[-1] + 1, now))
            targets.append(answers)
    assert list(zip(*(column.tolist() for column in part.moments))) == moments
    assert targets_by_moment(part) == targets


@settings(max_examples=60)
@given(log=logs(), data=st.data())
def test_nothing_at_or_behind_a_border_in_time_is_known(log, data):
    border = data.draw(st.sampled_from(log.times)) + 1
    trained, times = trained_before(log, border), torch.tensor(log.times).double()
    for part in at_borders(log.store, trained, N_ITEMS):
        moments = part.moments
        assert not (part.known & ~trained).any()
        assert (times[part.known].unsqueeze(1) < moments.now).all()
        for row, (user, end, now) in enumerate(zip(*(column.tolist() for column in moments))):
            own = torch.tensor(log.before(user, len(log.users)))
            assert own[times[own] < now].tolist() == log.before(user, end)
            later = own[(times[own] >= now) & trained[own]]
            assert targets_by_moment(part)[row] <= {log.items[p] for p in later}


def test_statistics_end_before_every_second_border():
    log = log_of("abcabcabcabcabcabcab", seconds=3600.0)
    trained = torch.ones(20, dtype=torch.bool)
    parts = at_borders(log.store, trained, N_ITEMS, [0.5, 0.6, 0.7, 0.8])
    assert [int(part.known.sum()) for part in parts] == [10, 10, 14, 14]
    assert [part.moments.ends.item() for part in parts] == [10, 12, 14, 16]


def test_plays_that_are_not_trained_on_answer_nothing():
    """Users 1 and 2 alternate; of user 2 nothing but the first play is trained on."""
    log = Log(
        [1] * 10 + [2] * 10, [*range(1, 6)] * 4, [*map(float, range(0, 20, 2)), *map(float, range(1, 20, 2))]
    )
    trained = torch.tensor([True] * 11 + [False] * 9)
    for part in at_borders(log.store, trained, N_ITEMS, [0.3, 0.6]):
        by_user = dict(zip(part.moments.users.tolist(), targets_by_moment(part)))
        assert by_user[1]
        assert by_user.get(2, set()) == set()


@settings(max_examples=60)
@given(log=logs(), seed=st.integers(0, 99), of_target=st.booleans())
def test_next_plays_are_trained_and_behind_what_is_known(log, seed, of_target):
    trained, store = trained_but_last(log), log.store
    generator = torch.Generator().manual_seed(seed)
    parts = next_plays(store, trained, N_ITEMS, generator, of_target)
    assert len(parts) == len(SHARES)
    for part, share in zip(parts, SHARES):
        users, ends = part.moments.users, part.moments.ends
        assert trained[ends].all()
        assert (torch.tensor(log.users)[ends] == users).all()
        assert not part.known[ends].any()
        assert (store.items[ends] + N_ITEMS * torch.arange(len(ends))).equal(part.targets)
        assert (torch.bincount(users, minlength=1) <= NEXT_PLAYS).all()
        assert part.moments.now.equal(store.timed()[ends if of_target else ends - 1])
        for user in range(1, N_USERS):
            own = [p for p in log.before(user, len(log.users)) if trained[p]]
            known = own[: int(torch.tensor(len(own)) * share)]
            assert [p for p in own if part.known[p]] == known
            assert bool((users == user).any()) == bool(own[max(len(known), 1) :])


def test_all_plays_in_reach_are_drawn_in_turn():
    log = log_of("abcdef" * 20)
    ends = set()
    for seed in range(40):
        (part,) = next_plays(
            log.store,
            torch.ones(120, dtype=torch.bool),
            N_ITEMS,
            torch.Generator().manual_seed(seed),
            shares=[0.5],
        )
        assert len(part.moments.ends) == NEXT_PLAYS
        ends.update(part.moments.ends.tolist())
    assert ends == set(range(60, 73))


@settings(max_examples=40)
@given(log=logs(), most=st.integers(1, 6), seed=st.integers(0, 99))
def test_a_sample_keeps_moments_with_their_targets(log, most, seed):
    generator = torch.Generator().manual_seed(seed)
    for part in at_borders(log.store, trained_before(log, 1e9), N_ITEMS, [0.2, 0.5]):
        sample = part.sample(most, N_ITEMS, generator)
        assert len(sample.moments.users) == min(most, len(part.moments.users))
        whole = dict(zip(part.moments.users.tolist(), targets_by_moment(part)))
        kept = dict(zip(sample.moments.users.tolist(), targets_by_moment(sample)))
        assert kept.items() <= whole.items()
        assert sample.targets.diff().gt(0).all()
        assert len(sample.targets) == sum(map(len, kept.values()))


def test_the_same_seed_draws_the_same_moments():
    log = log_of("abcdef" * 12, "fedcba" * 12, "aabbcc" * 12)
    drawn = [
        next_plays(log.store, trained_but_last(log), N_ITEMS, torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    ends = [torch.cat([part.moments.ends for part in parts]).tolist() for parts in drawn]
    assert ends[0] == ends[1] != ends[2]
