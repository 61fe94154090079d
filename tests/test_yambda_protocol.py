"""The protocol of the benchmark of Yambda against what its published program gives for a simulated log.

From the raw file on: converter, split, baselines without a network, measures.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers import SMALL, build, write_atomic

import dataset_converters
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator import yambda
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.quick_start import run_recbole_popaware

GOLDEN = Path(__file__).parent / "golden" / "yambda"
# The program's second split, on which it trains and tests.
FINAL = {"eval_args": {"split": {"GTS": {"test": 25_913_600, "gap": 1800}}}}
TOPK = (10, 50, 100)


@pytest.fixture(scope="module")
def values():
    return json.loads((GOLDEN / "values.json").read_text())


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("atomic")
    dataset_converters.convert("yambda", GOLDEN / "listens.parquet", folder, name="yambda")
    return {
        **SMALL,
        "data_path": str(folder),
        "dataset": "yambda",
        "protocol": "yambda",
        "metrics": ["YambdaNDCG", "YambdaDCG", "YambdaRecall", "YambdaCoverage"],
        "metric_decimal_place": 9,
    }


def users_of(part):
    users = part.inter_feat["user_id"].numpy()
    return sorted(map(int, part.field2id_token["user_id"][users]))


@pytest.mark.parametrize(("split", "more"), [("with_validation", {}), ("final", FINAL)])
def test_the_split_is_the_program_s(settings, values, split, more):
    experiment = build("MostPop", settings, **more)
    expected = values[split]
    train, valid, test = (loader.dataset for loader in experiment[3:])
    n_plays = train.training_ends() - train.history.starts[:-1]
    assert n_plays.sum() == train.item_plays().sum() == expected["train_rows"]
    assert (n_plays > 0).sum() == expected["train_users"]
    assert (train.item_plays() > 0).sum() == expected["train_items"]
    assert test.inter_feat["target_plays"].sum() == expected["test_rows"]
    assert users_of(test) == expected["test_users"]
    assert users_of(valid) == (expected["valid_users"] or [])
    assert valid.inter_feat["target_plays"].sum() == (expected["valid_rows"] or 0)


@pytest.mark.parametrize(
    ("model", "hours", "golden"),
    [
        ("DecayPop", 6, "DecayPop_hours_6"),
        ("DecayedItemKNN", 1, "ItemKNN_hours_1.0"),
        ("DecayedItemKNN", 2, "ItemKNN_hours_2"),
    ],
)
def test_baselines_agree_with_the_program(settings, values, model, hours, golden):
    result = run_recbole_popaware(model, config_dict={**settings, **FINAL, "decay_hours": hours}, saved=False)
    assert result["best_valid_result"] is None
    for measure, of_k in values[golden].items():
        computed = [result["test_result"][f"yambda{measure}@{k}"] for k in TOPK]
        assert computed == pytest.approx([of_k[str(k)] for k in TOPK], abs=1e-6), measure


@pytest.mark.parametrize(
    ("model", "hours", "golden"),
    [("MostPop", None, "MostPop"), ("DecayedItemKNN", 0.128, "ItemKNN_hours_0.128")],
)
def test_baselines_agree_with_the_program_but_for_the_order_of_ties(settings, values, model, hours, golden):
    """The program leaves the order of equal scores open: its values are between the best and the worst."""
    decay = {} if hours is None else {"decay_hours": hours}
    experiment = build(model, settings, **FINAL, **decay, eval_batch_size=200)
    ((batch, _, rows, items),) = experiment.test_data
    scores, hits = (
        experiment.model.full_sort_predict(batch),
        torch.zeros(len(batch), experiment.dataset.item_num),
    )
    hits[rows, items] = 1
    plays = batch["target_plays"].numpy()
    bounds = []
    for sign in (-1, 1):
        top = top_items(scores * (1 + sign * 1e-6 * hits), max(TOPK))
        found = hits.gather(1, top).numpy()
        of_users = {
            "ndcg": yambda.ndcg(found, plays),
            "dcg": yambda.dcg(found),
            "recall": yambda.recall(found, plays),
        }
        bounds.append({name: computed.mean(axis=0) for name, computed in of_users.items()})
    worst, best = bounds
    for measure in worst:
        for k in TOPK:
            least, most = worst[measure][k - 1], best[measure][k - 1]
            assert least - 1e-6 <= values[golden][measure][str(k)] <= most + 1e-6, (measure, k)
            assert most - least < 0.005 * most


def test_measures_of_lists_agree_with_the_program(values):
    log = pq.read_table(GOLDEN / "listens.parquet").to_pandas()
    log = log[(log["played_ratio_pct"] >= 50) & (log["timestamp"] >= 25_913_600)]
    users = [user for user in values["lists"] if int(user) in set(log["uid"])]
    lists = np.array([values["lists"][user] for user in users])
    targets = [log["item_id"][log["uid"] == int(user)].to_numpy() for user in users]
    hits = np.array([np.isin(row, own) for row, own in zip(lists, targets)]).astype(float)
    plays = np.array([len(own) for own in targets])
    computed = {
        "ndcg": yambda.ndcg(hits, plays).mean(axis=0),
        "dcg": yambda.dcg(hits).mean(axis=0),
        "recall": yambda.recall(hits, plays).mean(axis=0),
        "coverage": yambda.coverage(np.array(list(values["lists"].values())), values["final"]["train_items"]),
    }
    for measure, of_k in values["lists_measures"].items():
        for k in TOPK:
            assert computed[measure][k - 1] == pytest.approx(of_k[str(k)], abs=1e-6)


def test_measures_by_hand():
    hits, plays = np.array([[1.0, 0, 1], [0, 1, 0]]), np.array([4, 1])
    assert yambda.recall(hits, plays) == pytest.approx(np.array([[1 / 4, 1 / 4, 2 / 4], [0, 1, 1]]))
    second, third = 1 / np.log2(3), 1 / 2
    ideal = [1, 1 + second / 2, 1 + (second + third) / 2]  # means of the two users' ideal lists
    expected = np.array([[1, 1, 1 + third], [0, second, second]]) / ideal
    assert yambda.ndcg(hits, plays) == pytest.approx(expected)
    lists = np.array([[3, 1, 2], [3, 3, 0]])
    assert yambda.coverage(lists, 10) == pytest.approx(np.array([1, 2, 3]) / 10)


def test_a_gap_is_in_no_part_and_no_history(settings):
    experiment = build("MostPop", settings)
    history, test = experiment.dataset.history, experiment.test_data.dataset
    log = pq.read_table(GOLDEN / "listens.parquet").to_pandas()
    before = (
        log[(log["played_ratio_pct"] >= 50) & (log["timestamp"] < 25_913_600 - 1800)].groupby("uid").size()
    )
    users = test.inter_feat["user_id"]
    n_plays = test.inter_feat["history_end"] - history.starts[users]
    names = test.field2id_token["user_id"][users.numpy()]
    assert dict(zip(map(int, names), n_plays.tolist())) == before[list(map(int, names))].to_dict()
    assert torch.equal(n_plays > 0, torch.ones_like(n_plays, dtype=torch.bool))


def test_a_network_trains_to_the_last_epoch_of_the_final_split(settings):
    more = {"loss_type": "SampledCE", "negatives": 8, "epochs": 2, "epoch_batches": 2}
    result = run_recbole_popaware("PopSASRec", config_dict={**settings, **FINAL, **more}, saved=False)
    assert result["epochs"] == 2
    assert result["best_valid_result"] is None
    assert 0 < result["test_result"]["yambdandcg@10"] < 1
    assert 0 < result["test_result"]["yambdacoverage@100"] <= 1


def test_general_models_train_on_the_same_plays_and_cover_the_same_items(settings, values):
    expected, k = values["final"], TOPK[0]
    part = build("Pop", settings, **FINAL).train_data.dataset
    assert len(part.inter_feat) == part.item_plays().sum() == expected["train_rows"]
    quick = {"train_batch_size": 10_000, "eval_batch_size": 1_000}
    result = run_recbole_popaware("Pop", config_dict={**settings, **FINAL, **quick}, saved=False)
    covered = result["test_result"][f"yambdacoverage@{k}"]
    assert covered == pytest.approx(k / expected["train_items"])  # one list for all


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("BPR", {"eval_args": {"split": {"RS": [8, 1, 1]}}}, "YambdaCoverage need eval_args with split GTS"),
        (
            "FM",
            {
                "eval_args": {"split": {"RS": [8, 1, 1]}, "mode": "full"},
                "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
            },
            "YambdaCoverage counts the items",
        ),
    ],
)
def test_coverage_of_trained_items_is_refused_where_nobody_counts_them(settings, model, more, message):
    measures = {"metrics": ["YambdaCoverage", "NDCG"], "valid_metric": "NDCG@10", "protocol": "corrected"}
    with pytest.raises(UsageError, match=message):
        run_recbole_popaware(model, config_dict={**settings, **measures, **more}, saved=False)


def test_skips_are_no_targets_and_take_none_away(tmp_path):
    hour, border = 3600, 1000 * 3600
    plays = [(user, item, n * hour, 1) for n, item in enumerate("abcabc") for user in "uv"]
    late = [("a", 1), ("a", 1), ("a", -1), ("b", -1), ("c", 1)]
    plays += [("u", item, border + n * hour, rating) for n, (item, rating) in enumerate(late)]
    write_atomic(tmp_path, "skips", plays)
    split = {"eval_args": {"split": {"GTS": {"test": border}}, "order": "TO"}, "targets": "plays"}
    experiment = build("MostPop", {**SMALL, "data_path": str(tmp_path), "dataset": "skips", **split})
    ((batch, _, _, items),) = experiment.test_data
    names = experiment.dataset.field2id_token["item_id"]
    assert sorted(names[items.numpy()]) == ["a", "c"]
    assert batch["target_plays"].tolist() == [3]
