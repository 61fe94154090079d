from __future__ import annotations

import math

import pytest
import torch
from helpers import GTS, build, looping_plays, write_atomic
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.composition import NewItems, compose
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.plays.explore_share import ExploreShares
from recbole_popaware.quick_start import run_recbole_popaware

N = 9  # items 1 to 8
MEASURES = {"metrics": ["NDCG", "RepeatShare", "ItemCoverage"], "valid_metric": "NDCG@4", "topk": [4, 8]}


def played_by(*rows):
    keys = torch.tensor([row * N + item for row, items in enumerate(rows) for item in items]).long()
    return ItemCounts.of(keys, torch.arange(len(keys)), N)


histories = st.lists(st.integers(1, N - 1), max_size=12)
scores_of_a_row = st.lists(st.one_of(st.integers(-3, 3), st.just(-math.inf)), min_size=N, max_size=N)
rows_of_users = st.lists(st.tuples(scores_of_a_row, histories), min_size=1, max_size=4)
lengths_of_lists = st.sets(st.integers(1, N - 1), min_size=1).map(sorted)
a_share = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]), st.floats(0, 1))


def number_of_new(row, played, k, wanted, exact):
    """How many of a list are new, counted with sets."""
    ranked = sorted((i for i in range(1, N) if row[i] > -math.inf), key=lambda item: (-row[item], item))
    n_new = len(set(ranked) - played)
    if not exact:
        wanted = max(wanted, len(set(ranked[:k]) - played))
    return min(max(wanted, k - len(set(ranked) & played)), n_new)


@given(rows_of_users, lengths_of_lists, a_share, st.booleans())
def test_every_length_has_its_new_items_and_else_the_best(rows, lengths, share, exact):
    scores = torch.tensor([row for row, _ in rows], dtype=torch.float32)
    wanted = NewItems.at_least(share, lengths)
    if exact:
        wanted = NewItems.calibrated(torch.full((len(rows),), share), lengths)
    items, values = compose(scores.clone(), played_by(*(history for _, history in rows)), wanted)
    numbers = wanted.numbers.expand(len(rows), -1).tolist()
    assert items.shape == (len(rows), lengths[-1])
    for (row, history), chosen, value, of_lengths in zip(rows, items.tolist(), values.tolist(), numbers):
        ranked = sorted((i for i in range(1, N) if row[i] > -math.inf), key=lambda item: (-row[item], item))
        expected, shorter = [], 0
        for k, wanted_new in zip(lengths, of_lengths):
            n_new = number_of_new(row, set(history), k, wanted_new, exact)
            best = [item for item in ranked if item not in history][:n_new]
            best += [item for item in ranked if item in history][: k - n_new]
            expected += [item for item in ranked if item in best and item not in expected]
            assert set(chosen[:k]) - {0} == set(best)
            assert len(expected) <= k
            shorter = k
        assert chosen[: len(expected)] == expected
        assert chosen[len(expected) :] == [0] * (shorter - len(expected))
        assert value == [row[item] if item else -math.inf for item in chosen]


@given(rows_of_users, lengths_of_lists)
def test_without_a_share_lists_are_as_the_scores_rank(rows, lengths):
    scores = torch.tensor([row for row, _ in rows], dtype=torch.float32)
    scores[:, 0] = -torch.inf
    counts = played_by(*(history for _, history in rows))
    items, _ = compose(scores.clone(), counts, NewItems.at_least(0, lengths))
    assert torch.equal(items, top_items(scores, lengths[-1]))


@given(rows_of_users, lengths_of_lists, a_share)
def test_a_shorter_list_is_the_first_part_of_a_longer_one(rows, lengths, share):
    scores = torch.tensor([row for row, _ in rows], dtype=torch.float32)
    counts = played_by(*(history for _, history in rows))
    longest, _ = compose(scores.clone(), counts, NewItems.at_least(share, lengths))
    shortest, _ = compose(scores.clone(), counts, NewItems.at_least(share, lengths[:1]))
    assert torch.equal(longest[:, : lengths[0]], shortest)


@given(rows_of_users, lengths_of_lists, a_share)
def test_what_is_new_by_its_number_alone_comes_last(rows, lengths, share):
    scores = torch.tensor([row for row, _ in rows], dtype=torch.float32)
    counts, k = played_by(*(history for _, history in rows)), lengths[0]
    items, _ = compose(scores.clone(), counts, NewItems.at_least(share, [k]))
    scores[:, 0] = -torch.inf
    plain = top_items(scores, k)
    for mixed, by_score in zip(items.tolist(), plain.tolist()):
        kept = [item in by_score for item in mixed]
        assert kept == sorted(kept, reverse=True)


def test_numbers_of_new_items_by_hand():
    at_least = [NewItems.at_least(share, [10, 100]).numbers.tolist() for share in (0, 0.01, 0.07, 0.7, 1)]
    assert at_least == [[[0, 0]], [[1, 1]], [[1, 7]], [[7, 70]], [[10, 100]]]
    assert math.ceil(0.07 * 100) == 8  # what floats would make of it
    assert NewItems.at_least(1e-9, [3]).numbers.tolist() == [[1]]
    shares = torch.tensor([0, 0.04, 0.05, 0.25, 0.349, 1])
    assert NewItems.calibrated(shares, [10, 100]).numbers.tolist() == [
        *([0, 0], [0, 4], [1, 5], [3, 25], [3, 35], [10, 100])
    ]


def test_with_a_factor_new_items_that_rank_high_stay():
    scores, counts = torch.tensor([[0.0, 1, 2, 3, 4, 5, 6, 7, 8]]), played_by([1, 2, 3, 4, 5])
    n_new = []
    for factor in (1, 0.5):
        items, _ = compose(scores.clone(), counts, NewItems.calibrated(torch.tensor([0.5]), [4], factor))
        n_new.append(int((items > 5).sum()))
    assert n_new == [2, 3]  # as promised; as the scores rank
    weak, _ = compose(-scores, counts, NewItems.calibrated(torch.tensor([0.5]), [4], 0.5))
    assert weak.tolist() == [[1, 2, 3, 6]]


def test_a_factor_lowers_everybody_s_calibrated_number():
    shares = torch.tensor([0, 0.125, 0.25, 0.75, 1])
    assert NewItems.calibrated(shares, [10], 0.5).numbers.flatten().tolist() == [0, 1, 1, 4, 5]
    assert NewItems.calibrated(shares, [10], 0.1).numbers.flatten().tolist() == [0, 0, 0, 1, 1]
    assert torch.equal(
        NewItems.calibrated(shares, [10], 1).numbers, NewItems.calibrated(shares, [10]).numbers
    )


@given(st.floats(0, 1), st.integers(1, 200))
def test_a_calibrated_number_is_within_half_an_item_of_the_share(share, k):
    number = int(NewItems.calibrated(torch.tensor([share], dtype=torch.float64), [k]).numbers)
    assert 0 <= number <= k
    assert abs(number - share * k) <= 0.5 + 1e-9


@pytest.fixture
def large(toy, tmp_path):
    """Users who know few of the items."""
    write_atomic(tmp_path / "data", "toy", looping_plays(n_items=20))
    return {**toy, "eval_args": GTS, **MEASURES}


def evaluated(settings, **more):
    """The lists that the measures of the test part judge, the model's scores, and the experiment."""
    experiment = build("PersonalizedMostPop", settings, **more)
    collector = PopAwareCollector(experiment.config)
    collector.data_collect(experiment.train_data)
    (batch,) = experiment.test_data
    scores = experiment.model.full_sort_predict(batch[0])
    kept = scores.clone()
    collector.eval_batch_collect(scores, batch[0], batch[2], batch[3])
    assert torch.equal(scores, kept)
    return experiment, batch[0], scores, collector.data_struct.get("rec.items")


@pytest.mark.parametrize("more", [{}, {"list_explore_share": 0}, {"list_explore_share": 0.5}])
def test_evaluation_composes_as_its_properties_say(large, more):
    experiment, rows, scores, items = evaluated(large, **more)
    dataset = experiment.dataset
    counts = dataset.history.counts(rows[dataset.uid_field], rows[dataset.end_field], dataset.item_num)
    share = more.get("list_explore_share", 0)
    expected, _ = compose(scores.clone(), counts, NewItems.at_least(share, [4, 8]))
    assert torch.equal(items, expected)
    n_new = [(counts.of_items(items[:, :k]) == 0).sum(dim=1) for k in (4, 8)]
    assert (n_new[0] >= 4 * share).all()
    assert (n_new[1] >= 8 * share).all()


@pytest.mark.parametrize("factor", [True, 0.4])
def test_evaluation_estimates_shares_before_the_border(large, factor):
    experiment, rows, scores, items = evaluated(large, list_calibrated=factor)
    dataset, train = experiment.dataset, experiment.train_data.dataset.inter_feat
    history, users, ends = dataset.history, rows[dataset.uid_field], rows[dataset.end_field]
    borders = history.starts[:-1].clone()
    for user, end in zip(train[dataset.uid_field].tolist(), train[dataset.end_field].tolist()):
        borders[user] = max(int(borders[user]), end + 1)
    assert (borders[users] < ends).all()
    shares = ExploreShares.of_everybody(history, borders).at(users, ends)
    counts = history.counts(users, ends, dataset.item_num)
    expected, _ = compose(scores.clone(), counts, NewItems.calibrated(shares, [4, 8], factor))
    assert torch.equal(items, expected)


def test_measures_see_the_shares(large):
    results = [
        run_recbole_popaware("PersonalizedMostPop", config_dict={**large, **more})["test_result"]
        for more in (
            *({}, {"list_explore_share": 0.5}, {"list_explore_share": 1}),
            *({"list_calibrated": True}, {"list_calibrated": 0.3}),
        )
    ]
    repeats = [result["repeatshare@4"] for result in results]
    assert repeats[0] > 0.5 >= repeats[1] > repeats[2]
    assert repeats[0] > repeats[4] > repeats[3] > repeats[2]
    assert len({result["ndcg@4"] for result in results}) > 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"list_explore_share": 1.1}, "list_explore_share is"),
        ({"list_explore_share": "some"}, "list_explore_share is"),
        ({"list_calibrated": 1.5}, "list_calibrated is"),
        ({"list_calibrated": 0.0}, "list_calibrated is"),
        ({"list_calibrated": True, "list_explore_share": 0.1}, "leave one out"),
        ({"list_calibrated": True, "mask_history": True}, "list_calibrated.*mask_history"),
        ({"list_explore_share": 0.1, "mask_history": True}, "list_explore_share.*mask_history"),
    ],
)
def test_shares_that_cannot_work_get_one_clear_error(more, message):
    with pytest.raises(UsageError, match=message) as error:
        Config("PopSASRec", config_dict={"eval_args": GTS, **more}, argv=())
    assert "\n" not in str(error.value)
