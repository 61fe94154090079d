"""Nothing of a score depends on a play at or after its moment."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import N_ITEMS, N_USERS, Log, logs

from recbole_popaware.replay.examples import make_examples
from recbole_popaware.replay.features import Fade, features_at
from recbole_popaware.replay.moments import Moments
from recbole_popaware.replay.requests import at_borders, next_plays
from recbole_popaware.replay.spread import Together

GROUPS = torch.tensor([[0], [1], [1], [2], [2], [3], [0]])


@st.composite
def two_futures(draw):
    """A log, a moment of each user, and the log with other plays from there on."""
    log = draw(logs())
    cuts = {user: draw(st.integers(1, log.users.count(user))) for user in set(log.users)}
    ends = {user: log.users.index(user) + cut for user, cut in cuts.items()}
    items, times = list(log.items), list(log.times)
    for p, user in enumerate(log.users):
        if p >= ends[user]:
            items[p] = draw(st.integers(1, N_ITEMS - 1))
            times[p] += 1e6
    return log, Log(log.users, items, times), ends


def flat(parts):
    if isinstance(parts, torch.Tensor):
        return [parts]
    return [tensor for part in parts if not isinstance(part, int) for tensor in flat(part)]


@settings(max_examples=40)
@given(case=two_futures(), pause=st.integers(0, 10**6))
def test_features_know_no_play_at_or_after_their_moment(case, pause):
    log, other, ends = case
    users, ends = (torch.tensor(column) for column in zip(*ends.items()))
    now = log.store.timed()[ends - 1] + pause
    together = Together.of(*log.columns, N_ITEMS, 4, (GROUPS,))
    one, two = (
        features_at(Moments(users, ends, now), of.store, together, Fade(), N_ITEMS) for of in (log, other)
    )
    assert all(torch.equal(*pair) for pair in zip(flat(one), flat(two), strict=True))


def statistics(log, known):
    return Together.of(*(column[known] for column in log.columns), N_ITEMS, 4, (GROUPS,))


@settings(max_examples=40)
@given(log=logs(), data=st.data())
def test_past_requests_know_nothing_from_their_border_on(log, data):
    """Other plays from a border on change the targets there, and neither features nor statistics."""
    trained = torch.ones(len(log.users), dtype=torch.bool)
    share = data.draw(st.sampled_from([0.3, 0.6, 0.9]))
    (before,) = at_borders(log.store, trained, N_ITEMS, [share])
    if len(before.moments.users) == 0:
        return
    border = before.moments.now[0].item()
    items = [
        item if time < border else data.draw(st.integers(1, N_ITEMS - 1))
        for item, time in zip(log.items, log.times)
    ]
    other = Log(log.users, items, log.times)
    (after,) = at_borders(other.store, trained, N_ITEMS, [share])
    one, two = statistics(log, before.known), statistics(other, after.known)
    assert all(torch.equal(*pair) for pair in zip(flat(one), flat(two), strict=True))
    first = make_examples(before, log.store, one, Fade(), N_ITEMS)
    second = make_examples(after, other.store, two, Fade(), N_ITEMS)
    without_hits = [
        (*examples[:4], examples.played._replace(hit=first.users), examples.new._replace(hit=first.users))
        for examples in (first, second)
    ]
    assert all(torch.equal(*pair) for pair in zip(*map(flat, without_hits), strict=True))


@settings(max_examples=40)
@given(log=logs(), data=st.data(), seed=st.integers(0, 9))
def test_requests_before_next_plays_know_no_play_behind_the_share_of_its_user(log, data, seed):
    trained = torch.ones(len(log.users), dtype=torch.bool)
    share = data.draw(st.sampled_from([0.5, 0.7, 0.9]))
    draws = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    (before,) = next_plays(log.store, trained, N_ITEMS, draws[0], shares=[share])
    behind = {user: int(log.users.count(user) * share) + log.users.index(user) for user in set(log.users)}
    items = [
        item if p < behind[user] else data.draw(st.integers(1, N_ITEMS - 1))
        for p, (user, item) in enumerate(zip(log.users, log.items))
    ]
    other = Log(log.users, items, log.times)
    (after,) = next_plays(other.store, trained, N_ITEMS, draws[1], shares=[share])
    assert all(torch.equal(*pair) for pair in zip(flat(before.moments), flat(after.moments)))
    one, two = statistics(log, before.known), statistics(other, after.known)
    assert all(torch.equal(*pair) for pair in zip(flat(one), flat(two), strict=True))


def test_the_times_of_targets_are_unknown_unless_asked_for():
    users = [1] * 6 + [2] * 6
    log = Log(users, [1, 2, 3, 4, 5, 6] * 2, [*map(float, range(6))] * 2)
    later = Log(users, log.items, [time if time < 5 else 1e6 for time in log.times])
    assert max(users) < N_USERS
    trained = torch.ones(12, dtype=torch.bool)

    def moments(log, of_target):
        generator = torch.Generator().manual_seed(0)
        (part,) = next_plays(log.store, trained, N_ITEMS, generator, of_target, [0.9])
        return part.moments.now.tolist()

    assert moments(log, False) == moments(later, False) == [4, 4]
    assert moments(log, True) == [5, 5]
    assert moments(later, True) == [1e6, 1e6]
