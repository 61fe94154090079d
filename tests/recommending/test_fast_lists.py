"""Lists out of few candidates are those out of two matrices of scores, added and sorted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers import GTS, save
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.best import best_values
from recbole_popaware.evaluator.composition import NewItems, compose
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending import rough
from recbole_popaware.recommending.options import ListRules, Options
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.scorer import HeadScores, Scores, Workspace
from recbole_popaware.recommending.selection import choose
from recbole_popaware.recommending.threads import in_order

RULES = {
    "by score": {},
    "explore": {"explore_share": 0.3},
    "calibrated": {"calibrated": True},
    "partly": {"calibrated": 0.5},
    "new only": {"exclude_history": True},
}


def lists_from_matrices(network, head, counts, rules, shares=None):
    """What lists are by their definition: scores of all items in one matrix, sorted."""
    scores = network.clone() if head is None else torch.add(network, head, alpha=rules.popularity_weight)
    if rules.calibrated:
        return compose(scores, counts, NewItems.calibrated(shares, [rules.topk], rules.calibrated))
    if rules.explore_share:
        return compose(scores, counts, NewItems.at_least(rules.explore_share, [rules.topk]))
    scores[:, 0] = -torch.inf
    if rules.exclude_history:
        scores[counts.rows, counts.items] = -torch.inf
    items = top_items(scores, rules.topk)
    return items, scores.gather(1, items)


@given(st.data())
def test_the_best_values_are_those_of_a_sort(data):
    n, block = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 4))
    m = data.draw(st.integers(1, min(n, 6)))
    values = st.one_of(st.integers(-3, 3), st.sampled_from([-np.inf, 0.5]))
    rows = data.draw(st.lists(st.lists(values, min_size=n, max_size=n), min_size=1, max_size=3))
    wide = torch.zeros(len(rows), n + 3)  # rows that do not follow each other in memory
    scores = wide[:, :n].copy_(torch.tensor(rows))
    found, items = best_values(scores, m, block)
    assert torch.equal(found, scores.sort(dim=1, descending=True).values[:, :m])
    assert torch.equal(scores.gather(1, items), found)
    assert all(len(set(row)) == m for row in items.tolist())


def test_what_is_no_number_ranks_first():
    scores = torch.zeros(1, 90).index_fill(1, torch.tensor([50]), torch.nan)
    assert best_values(scores, 2, block=2)[0].isnan().tolist() == [[True, False]]


@given(st.data())
def test_lists_are_those_of_the_sum_of_two_matrices(data):
    n_items, k = data.draw(st.sampled_from([8, 40])), data.draw(st.integers(1, 7))
    draw_rows = st.lists(
        st.lists(st.integers(1, n_items - 1), min_size=1, max_size=9), min_size=1, max_size=3
    )
    histories = data.draw(draw_rows)
    keys = [row * n_items + item for row, items in enumerate(histories) for item in items]
    counts = ItemCounts.of(torch.tensor(keys), torch.arange(len(keys)), n_items)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    network = torch.rand(len(histories), n_items, generator=generator)
    if data.draw(st.booleans()):
        network = (8 * network).floor()  # many equal scores
    # A constant of 2^22 leaves half of the differences below 1 of all that, so that sums are equal.
    new = torch.full((len(histories),), data.draw(st.sampled_from([0.0, -1.5, 2.0**22])))
    head = HeadScores(new, torch.rand(len(counts.keys), generator=generator))
    dense = new.unsqueeze(1).repeat(1, n_items).index_put((counts.rows, counts.items), head.played)
    share = data.draw(st.sampled_from(list(RULES.values())))
    rules = ListRules(k, popularity_weight=data.draw(st.sampled_from([0, 1, 0.5])), **share)
    shares = torch.rand(len(histories), generator=generator)
    expected = lists_from_matrices(network, dense, counts, rules, shares)
    before = network.clone()
    sums = Scores(network, head).sums(counts, rules.popularity_weight)
    actual = choose(sums, counts, rules, shares)
    assert torch.equal(network, before)
    filled = expected[1] > -torch.inf
    assert torch.equal(actual[1], expected[1])
    assert torch.equal(actual[0][filled], expected[0][filled])


MODELS = {
    "counts": ("PopSASRec", {}),
    "sigmoid of all plays": ("PopGSASRec", {"pps_history": "full"}),
    "faded": ("PopSASRec", {"pps_decay": 0.5, "pps_history": 6}),
    "learned": ("PopBERT4Rec", {"pps_learn": ["alpha", "eps", "d", "c"]}),
    "hours": ("PopSASRec", {"pps_decay": 0.5, "pps_age": "hours", "pps_history": "full"}),
    "no head": ("PopSASRec", {"popularity_head": "none"}),
    "replay": ("PopSASRec", {"popularity_head": "replay", "eval_args": GTS}),
    "terms": ("PopOnly", {"eval_args": GTS}),
    "on demand": ("PopGRU4Rec", {"embedding_size": 8}),
    "many ties": ("MostPop", {}),
    "own order": ("PersonalizedMostPop", {}),
}


@pytest.mark.parametrize("model", MODELS)
def test_lists_of_models_are_those_of_two_matrices(toy, model):
    name, settings = MODELS[model]
    made = Recommender(save(name, toy, **settings), topk=7, calibrated=True)
    users = torch.arange(1, 13)
    rows, counts = made._rows(users)
    with torch.inference_mode():
        head = None
        if hasattr(made._model, "network_scores"):
            head = made._model.popularity_scores(rows)
            network = made._model.network_scores(rows)
        else:
            network = made._model.full_sort_predict(rows).view(len(users), -1)
    weights = [1.0] if head is None else [1.0, 0.3]
    for weight, rule in itertools.product(weights, RULES.values()):
        made.rules = ListRules(7, popularity_weight=weight, **rule)
        shares = made._shares.latest(users)
        items, scores = lists_from_matrices(network, head, counts, made.rules, shares)
        actual = made._lists(users.numpy())
        filled = scores > -torch.inf
        torch.testing.assert_close(actual.score, scores)
        assert torch.equal(actual.items[filled], items[filled])
        torch.testing.assert_close(actual.model_score[filled], network.gather(1, items)[filled])
        if head is not None:
            torch.testing.assert_close(actual.popularity_score[filled], head.gather(1, items)[filled])


TABLES = {name: MODELS[name] for name in ("counts", "sigmoid of all plays", "learned", "no head")}


@pytest.mark.parametrize("model", TABLES)
def test_rough_scores_find_the_same_lists(toy, model):
    """As many candidates as there are items leave nothing to the rough scores, which order nothing."""
    name, settings = TABLES[model]
    file, users = save(name, toy, **settings), np.arange(1, 13)
    for rule in (rule for rule in RULES.values() if "calibrated" not in rule):
        exact, rough = (Recommender(file, 7, precision=p, **rule) for p in ("float32", "bfloat16"))
        expected, actual = exact._lists(users), rough._lists(users)
        assert torch.equal(actual.items, expected.items)
        for column in ("score", "model_score", "popularity_score"):
            one, other = (getattr(lists, column) for lists in (actual, expected))
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6, equal_nan=True)
        matrix = rough.score(torch.from_numpy(users))[0].network
        assert not torch.equal(matrix, exact.score(torch.from_numpy(users))[0].network)


def test_rough_scores_are_those_of_the_table_in_bfloat16(toy, monkeypatch):
    monkeypatch.setattr(rough, "_ITEMS_AT_ONCE", 4)  # of 11
    made = Recommender(save("PopBERT4Rec", toy), 7, precision="bfloat16")
    made._model.output_bias.data.uniform_()
    users, items = torch.arange(1, 13), torch.arange(1, 8).expand(12, -1)
    with torch.inference_mode():
        scores, counts = made.score(users)
        network = made._model.network_scores(made._rows(users)[0])
        torch.testing.assert_close(scores.network, network, rtol=0.02, atol=0.02)
        torch.testing.assert_close(scores.network_of(items), network.gather(1, items))
        pairs = scores.exact.pairs(counts.rows, counts.items)
        torch.testing.assert_close(pairs, network[counts.rows, counts.items])


@pytest.mark.parametrize("model", ["replay", "terms", "on demand", "many ties"])
def test_other_models_have_no_rough_scores(toy, model):
    name, settings = MODELS[model]
    with pytest.raises(UsageError, match="does not score by a product with a table"):
        Recommender(save(name, toy, **settings), 7, precision="bfloat16")
    with pytest.raises(UsageError, match="must be one of float32, bfloat16"):
        Options(precision="half")


def test_threads_return_results_in_order_and_stop_at_the_first_error():
    before = torch.get_num_threads()
    assert list(in_order(lambda n: (n, torch.get_num_threads()), range(20), 3)) == [(n, 1) for n in range(20)]
    assert torch.get_num_threads() == before
    seen = []

    def fail(n):
        seen.append(n)
        return 1 // (n - 2)

    with pytest.raises(ZeroDivisionError):
        list(in_order(fail, itertools.count(), 2))
    assert len(seen) < 10


def test_a_workspace_gives_rows_at_round_addresses():
    workspace = Workspace()
    first = workspace.rows(3, 70, torch.device("cpu"))
    assert first.shape == (3, 70)
    assert first.stride() == (128, 1)
    assert workspace.rows(2, 90, torch.device("cpu")).data_ptr() == first.data_ptr()
