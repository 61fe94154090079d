from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_logs import N_ITEMS, log_of, logs

from recbole_popaware.replay.moments import Records
from recbole_popaware.replay.spread import Groups, Together, spread

# What the weight of an item is made of, from the ages of its plays; in the order of the sums.
WEIGHTS = {
    "fading": lambda ages: sum(1 / age for age in ages),
    "recent": lambda ages: sum(1 / age for age in ages if age <= 5),
    "session": lambda ages: sum(1 / age for age in ages if age <= 20),
    "flat": lambda ages: sum(((age + 20) / 21) ** -1.3 for age in ages) ** 0.5,
    "even": lambda ages: 1,
}
SUMS = [
    *(("listeners", weight) for weight in ("fading", "flat", "even")),
    *(("order", weight) for weight in ("fading", "recent", "flat")),
    *(("group", weight) for weight in ("fading", "session", "flat")),
    *(("next group", weight) for weight in ("session", "flat")),
]
# Groups 1 to 3: items 1 and 2 share one, 3 has it and another, 4 shares one with 3, 5 is alone, 6 has none
GROUPS = torch.tensor([[0, 0], [1, 0], [1, 0], [2, 1], [2, 0], [3, 0], [0, 0]])


def weights_of(log, moments, name):
    """``[Q, N_ITEMS]`` weights, in Python."""
    weights = torch.zeros(len(moments.users), N_ITEMS)
    for row, (user, end) in enumerate(zip(moments.users.tolist(), moments.ends.tolist())):
        own = log.before(user, end)
        for item in {log.items[p] for p in own}:
            weights[row, item] = WEIGHTS[name]([end - p for p in own if log.items[p] == item])
    return weights


def dense(neighbours):
    """``[N, N]`` of neighbours, without those of the padding id."""
    matrix = torch.zeros(len(neighbours.items), len(neighbours.items))
    matrix.scatter_add_(1, neighbours.items, neighbours.weights)
    matrix[:, 0] = 0
    return matrix


def members():
    """``[N_ITEMS, 4]`` whether an item is in a group."""
    inside = torch.zeros(N_ITEMS, 4)
    for item, groups in enumerate(GROUPS.tolist()):
        inside[item, [group for group in groups if group]] = 1
    return inside


def expected(log, moments, together, kind, weight):
    weights, inside = weights_of(log, moments, weight), members()
    if kind in ("listeners", "order"):
        return weights @ dense(getattr(together, kind))
    popular = (1 + together.counts.plays.float()) ** 0.1
    if kind == "group":
        shared = inside @ inside.T
        return weights @ (shared - shared.diag().diag()) * popular
    return weights @ inside @ dense(together.groups[0].order) @ inside.T * popular


@settings(max_examples=40)
@given(log=logs(), k=st.integers(1, 8))
def test_sums_equal_products_of_matrices(log, k):
    moments = log.moments()
    known = len(log.users) // 2
    together = Together.of(*(column[:known] for column in log.columns), N_ITEMS, k, (GROUPS,))
    sums = spread(Records.of(log.store, moments, N_ITEMS), together)
    assert sums.shape == (together.n_sums, len(moments.users), N_ITEMS)
    assert together.n_sums == len(SUMS)
    for made, which in zip(sums, SUMS):
        torch.testing.assert_close(
            made, expected(log, moments, together, *which), rtol=1e-4, atol=1e-5, msg=str(which)
        )


def test_what_an_item_gives_to_itself_is_left_out():
    """Only item 5 is in group 3, and only it was played."""
    log = log_of("eeeee")
    together = Together.of(*log.columns, N_ITEMS, 3, (GROUPS,))
    assert not spread(Records.of(log.store, log.moments(), N_ITEMS), together).any()


def test_without_groups_there_are_no_sums_over_them():
    log = log_of("abc", "bcd")
    together = Together.of(*log.columns, N_ITEMS, 3)
    sums = spread(Records.of(log.store, log.moments(), N_ITEMS), together)
    assert len(sums) == together.n_sums == 6


def test_the_first_group_of_an_item_is_what_follows():
    users, items = torch.tensor([1, 1, 1]), torch.tensor([1, 3, 5])  # groups 1, then 2 (and 1), then 3
    groups = Groups.of(GROUPS, users, items, 2)
    assert groups.n_groups == 4
    assert groups.order.items.tolist() == [[0, 0], [2, 3], [3, 0], [0, 0]]
    share = 1 / (1 + 1 / 2 + 5)
    assert groups.order.weights[1].tolist() == pytest.approx([share, share / 2])
