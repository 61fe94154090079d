from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.errors import UsageError
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.options import ListRules, Options
from recbole_popaware.recommending.scorer import HeadScores, Scores
from recbole_popaware.recommending.selection import choose

N = 8  # items 1 to 7


def played_by(*rows):
    """What the rows' users played, as lists of items."""
    keys = torch.tensor(
        [row * N + item for row, items in enumerate(rows) for item in items], dtype=torch.int64
    )
    return ItemCounts.of(keys, torch.arange(len(keys)), N)


def sums_of(scores, counts):
    """Scores that have no head."""
    return Scores(scores, None).sums(counts), counts


histories = st.lists(st.integers(1, N - 1), max_size=12)
scores_of_a_row = st.lists(st.integers(-3, 3), min_size=N, max_size=N)


@given(st.lists(st.tuples(scores_of_a_row, histories), min_size=1, max_size=4), st.data())
def test_a_mixed_list_is_the_best_of_those_with_enough_new_items(rows, data):
    k, share = data.draw(st.integers(1, N - 1)), data.draw(st.sampled_from([0, 0.1, 0.25, 0.5, 0.7, 1]))
    scores = torch.tensor([row for row, _ in rows], dtype=torch.float32)
    rules = ListRules(k, explore_share=share)
    items, values = choose(*sums_of(scores, played_by(*(history for _, history in rows))), rules)
    for (row, history), chosen, value in zip(rows, items.tolist(), values.tolist()):
        new = set(range(1, N)) - set(history)
        enough = min(math.ceil(share * k), len(new))
        lists = [c for c in itertools.combinations(range(1, N), k) if len(new & set(c)) >= enough]
        assert tuple(sorted(chosen)) in lists
        assert sum(row[item] for item in chosen) == max(sum(row[i] for i in c) for c in lists)
        assert value == [row[item] for item in chosen]
        assert chosen == sorted(chosen, key=lambda item: (-row[item], item))


@given(scores_of_a_row, histories, st.integers(1, N - 1))
def test_lists_without_the_history_are_the_best_new_items(row, history, k):
    rules = ListRules(k, exclude_history=True)
    items, values = choose(*sums_of(torch.tensor([row], dtype=torch.float32), played_by(history)), rules)
    new = sorted(set(range(1, N)) - set(history), key=lambda item: (-row[item], item))
    filled = values[0] > -torch.inf
    assert items[0][filled].tolist() == new[:k]
    assert not filled[len(new) :].any()


def test_the_weight_is_that_of_the_head():
    counts = played_by([2, 2])
    scores = Scores(
        torch.arange(N).float().unsqueeze(0), HeadScores(torch.tensor([-1.0]), torch.tensor([3.0]))
    )
    sums = scores.sums(counts, 0.5)
    assert sums.played.tolist() == [3.5]
    assert sums.complete(sums.catalogue).tolist() == [[n - 0.5 for n in range(N)]]
    dense = Scores(scores.network, scores.head_of(torch.arange(N).unsqueeze(0), counts))
    assert dense.head.tolist() == [[-1.0, -1.0, 3.0, *[-1.0] * (N - 3)]]
    assert dense.sums(counts, 0.5).catalogue.tolist() == [[-0.5, 0.5, 3.5, *[n - 0.5 for n in range(3, N)]]]


@pytest.mark.parametrize(
    "values",
    [
        {"topk": 0},
        {"explore_share": -0.1},
        {"explore_share": 1.1},
        {"explore_share": math.nan},
        {"calibrated": 0.0},
        {"calibrated": 1.1},
        {"calibrated": math.nan},
        {"popularity_weight": math.inf},
        {"popularity_weight": math.nan},
    ],
)
def test_rules_that_cannot_work_are_refused(values):
    with pytest.raises(UsageError, match="is \\["):
        ListRules(**values)


@pytest.mark.parametrize("other", [{"explore_share": 0.1}, {"exclude_history": True}])
def test_calibrated_lists_leave_no_other_choice_of_new_items(other):
    with pytest.raises(UsageError, match=f"{next(iter(other))} contradicts"):
        ListRules(calibrated=True, **other)


def test_calibrated_lists_have_each_user_s_own_share():
    scores = torch.tensor([[0.0, 7, 6, 5, 4, 3, 2, 1]] * 2)
    shares = torch.tensor([0.25, 0.74])  # of 4 items: 1, and 2.96
    items, values = choose(
        *sums_of(scores, played_by([1, 2, 3, 4], [3, 4])), ListRules(4, calibrated=True), shares
    )
    assert items.tolist() == [[1, 2, 3, 5], [1, 2, 3, 5]]
    assert values.tolist() == [[7, 6, 5, 3], [7, 6, 5, 3]]


def test_a_factor_lowers_the_share_of_calibrated_lists():
    scores = torch.tensor([[0.0, 1, 2, 3, 7, 6, 5, 4]] * 2)
    shares = torch.tensor([0.25, 1])  # of 4 items, a fifth: 0.2, and 0.8
    items, _ = choose(
        *sums_of(scores, played_by([4, 5, 6, 7], [4, 5, 6, 7])), ListRules(4, calibrated=0.2), shares
    )
    assert items.tolist() == [[4, 5, 6, 7], [4, 5, 6, 3]]


def test_options_that_cannot_work_are_refused():
    with pytest.raises(UsageError, match="batch size"):
        Options(batch_size=0)
    with pytest.raises(UsageError, match="item file"):
        Options(title_column="name")
