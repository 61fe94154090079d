"""Measures against numbers worked out by hand, and against a slow version made of sets."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SMALL, build, write_atomic
from recbole.data.interaction import Interaction
from recbole.evaluator.register import metrics_dict

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator import metrics
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.evaluator import PopAwareEvaluator
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.quick_start import run_recbole_popaware

OURS = [
    *("GradedNDCG", "RepeatNDCG", "ExploreNDCG", "RepeatRecall", "ExploreRecall"),
    *("RepeatShare", "RepeatBias", "PersonalNovelty"),
]
STOCK = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"]
OF_LISTS = ["ItemCoverage", "AveragePopularity", "ShannonEntropy", "GiniIndex", "TailPercentage", "GAUC"]


def log2(x):
    return math.log2(x)


def test_graded_ndcg_by_hand():
    gains, ideal = np.array([[0.0, 2.0, 1.0]]), np.array([[2.0, 1.0, 1.0]])
    dcg = [0, 2 / log2(3), 2 / log2(3) + 1 / 2]
    best = [2, 2 + 1 / log2(3), 2 + 1 / log2(3) + 1 / 2]
    np.testing.assert_allclose(metrics.graded_ndcg(gains, ideal)[0], np.divide(dcg, best))


def test_graded_ndcg_agrees_with_the_published_program(golden):
    for case in golden["graded_ndcg"]["cases"]:
        gain: dict[int, float] = {}
        for item, rating in case["targets"]:  # likes and dislikes override; else the latest wins
            if abs(rating) == 2 or abs(gain.get(item, 0)) != 2:
                gain[item] = rating
        gains = [max(gain.get(item, 0), 0) for item in case["recommended"]]
        ideal = sorted((max(g, 0) for g in gain.values()), reverse=True)[: len(gains)]
        ideal += [0] * (len(gains) - len(ideal))
        values = np.nan_to_num(metrics.graded_ndcg(np.array([gains], float), np.array([ideal], float))[0])
        for k, expected in case["ndcg"].items():
            assert values[int(k) - 1] == pytest.approx(expected, abs=1e-9)


def test_recall_by_hand():
    hits = np.array([[True, False, True], [False, False, False]])
    recall = metrics.recall(hits, np.array([4, 0]))
    np.testing.assert_allclose(recall[0], [1 / 4, 1 / 4, 2 / 4])
    assert np.isnan(recall[1]).all()


def test_personal_novelty_by_hand():
    novelty = metrics.personal_novelty(np.array([[3, 0]]), np.array([4]), epsilon=0.5, n_items=8)
    first, second = -log2(3.5 / 8), -log2(0.5 / 8)
    np.testing.assert_allclose(novelty[0], [first, (first + second) / 2])


# user 1 played items 1 1 2 3, user 2 item 4; items run from 1 to 8
HISTORY = PlayHistory.from_sorted(
    np.array([1, 1, 1, 1, 2]), np.array([1, 1, 2, 3, 4]), np.arange(5.0), n_users=3
)
PLAYED = {1: [1, 1, 2, 3], 2: [4]}
TARGETS = {1: {2: 2.0, 5: 1.0, 6: 0.0}, 2: {7: 1.0}}
LISTS = {1: [1, 5, 2, 8], 2: [4, 7, 1, 2]}


def evaluate(names, **more):
    """Evaluate the hand-made users, one batch each, through RecBole's own machinery."""
    settings = {**SMALL, "metrics": names, "topk": [1, 2, 4], "valid_metric": f"{names[0]}@1", **more}
    config = Config("PopSASRec", config_dict=settings, argv=())
    config["TARGET_ITEMS_FIELD"], config["TARGET_GAINS_FIELD"] = "target_items", "target_gains"
    collector, evaluator = PopAwareCollector(config), PopAwareEvaluator(config)
    collector._history = HISTORY
    collector.data_struct.set("data.num_items", 9)
    for user, ranked in LISTS.items():
        scores = torch.full((1, 9), -1.0)
        scores[0, ranked] = torch.tensor([9.0, 8.0, 7.0, 6.0])
        targets = torch.tensor([[*TARGETS[user], 0]]), torch.tensor([[*TARGETS[user].values(), 0.0]])
        positive = targets[0][targets[1] > 0]
        batch = Interaction(
            {
                "user_id": torch.tensor([user]),
                "history_end": HISTORY.starts[user + 1].view(1),
                "target_items": targets[0],
                "target_gains": targets[1],
            }
        )
        collector.eval_batch_collect(scores, batch, torch.zeros_like(positive), positive)
    return evaluator.evaluate(collector.get_data_struct()), evaluator


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        # user 1: hits at 2 (item 5, explore) and 3 (item 2, repeat, gain 2); user 2: at 2 (explore)
        ("RepeatRecall", {1: 0, 2: 0, 4: 1}),  # user 2 has no repeat target
        ("ExploreRecall", {1: 0, 2: 1, 4: 1}),
        ("RepeatNDCG", {1: 0, 2: 0, 4: 0.5}),
        ("ExploreNDCG", {1: 0, 2: 1 / log2(3), 4: 1 / log2(3)}),
        ("RepeatShare", {1: 1, 2: (1 / 2 + 1 / 2) / 2, 4: (2 / 4 + 1 / 4) / 2}),
        ("RepeatBias", {1: 1 - 1 / 4, 2: 1 / 2 - 1 / 4, 4: 3 / 8 - 1 / 4}),
        (
            "GradedNDCG",
            {
                1: 0,
                2: (1 / log2(3) / (2 + 1 / log2(3)) + 1 / log2(3)) / 2,
                4: ((1 / log2(3) + 2 / 2) / (2 + 1 / log2(3)) + 1 / log2(3)) / 2,
            },
        ),
        ("Recall", {1: 0, 2: (1 / 2 + 1) / 2, 4: 1}),
    ],
)
def test_measures_of_hand_made_users(measure, expected):
    result, _ = evaluate([measure])
    assert result == {f"{measure.lower()}@{k}": pytest.approx(v, abs=6e-5) for k, v in expected.items()}


def test_personal_novelty_counts_the_whole_history():
    result, _ = evaluate(["PersonalNovelty"], novelty_epsilon=0.5)
    first = [-log2((PLAYED[u].count(LISTS[u][0]) + 0.5) / (len(PLAYED[u]) + 0.5 * 8)) for u in (1, 2)]
    assert result["personalnovelty@1"] == pytest.approx(np.mean(first), abs=6e-5)


def test_values_per_user_are_those_behind_the_means():
    result, evaluator = evaluate([*OURS, *STOCK], metric_decimal_place=12)
    table = evaluator.per_user(np.array(["[PAD]", "ann", "bob"]))
    assert set(table["user"]) == {"ann", "bob"}
    means = table.groupby("metric")["value"].mean()
    assert dict(means) == {name: pytest.approx(value, abs=1e-12) for name, value in result.items()}
    undefined = table[table["metric"] == "repeatrecall@4"]
    assert list(undefined["user"]) == ["ann"]


def test_every_measure_is_registered_once():
    from recbole.evaluator import register

    for _ in "12":
        Config("PopSASRec", argv=())
    assert {name.lower() for name in OURS} <= set(metrics_dict)
    assert len(register.smaller_metrics) == len(set(register.smaller_metrics))


@pytest.mark.parametrize("model", ["PopSASRec", "PersonalizedMostPop"])
def test_all_measures_run_on_leave_one_out(toy, model):
    names = [*OURS, *STOCK, *OF_LISTS]
    settings = {**toy, "metrics": names, "topk": [1, 5], "valid_metric": "GradedNDCG@5", "epochs": 2}
    result = run_recbole_popaware(model, config_dict=settings)["test_result"]
    assert result["gradedndcg@5"] == result["ndcg@5"]  # one target of gain 1
    assert 0 <= result["repeatshare@5"] <= 1
    assert all(name.split("@")[0] in {n.lower() for n in names} for name in result)


def test_stock_measures_equal_stock_s_collector(toy):
    from recbole.evaluator import Collector, Evaluator

    experiment = build("PopSASRec", toy, metrics=[*STOCK, "GAUC"], topk=[1, 5], valid_metric="NDCG@5")
    results = []
    for collector in (PopAwareCollector(experiment.config), Collector(experiment.config)):
        collector.data_collect(experiment.train_data)
        for interaction, _, positive_u, positive_i in experiment.test_data:
            with torch.no_grad():
                scores = experiment.model.full_sort_predict(interaction)
            scores[:, 0] = -np.inf
            collector.eval_batch_collect(scores, interaction, positive_u, positive_i)
        results.append(Evaluator(experiment.config).evaluate(collector.get_data_struct()))
    assert results[0] == results[1]


def test_repeats_are_judged_by_the_whole_history_not_the_window(tmp_path):
    """The last play repeats the first one, far outside a window of 2."""
    plays = [(user, item, n) for user in "uv" for n, item in enumerate("abcdeba")]
    write_atomic(tmp_path, "far", plays)
    settings = {**SMALL, "data_path": str(tmp_path), "dataset": "far", "MAX_ITEM_LIST_LENGTH": 2}
    settings.update(metrics=["RepeatRecall"], topk=[5], valid_metric="RepeatRecall@5")
    assert run_recbole_popaware("MostPop", config_dict=settings)["test_result"] == {"repeatrecall@5": 1.0}


def test_values_per_user_are_saved_on_request(toy, tmp_path):
    result = run_recbole_popaware("PersonalizedMostPop", config_dict={**toy, "save_per_user": True})
    (file,) = (tmp_path / "saved").glob("*.per_user.parquet")
    table = pd.read_parquet(file)
    assert list(table.columns) == ["user", "metric", "value"]
    means = table.groupby("metric")["value"].mean()
    assert dict(means) == {n: pytest.approx(v, abs=6e-5) for n, v in result["test_result"].items()}
    assert set(table["user"]) == {f"u{n}" for n in range(12)}


def test_our_measures_need_a_full_ranking(toy):
    args = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni5"}
    settings = {**toy, "metrics": ["RepeatShare"], "valid_metric": "RepeatShare@10", "eval_args": args}
    with pytest.raises(UsageError, match="RepeatShare need eval_args mode"):
        build("PopSASRec", settings)
