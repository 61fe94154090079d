"""RecBole's tests/metrics: the arithmetic of every measure, on hits and lists made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from either_recbole import make_config, metrics_dict

# Hits of four lists of three: none, all, the first and last, the last; and how many items were to be found.
HITS = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 1], [0, 0, 1]])
WANTED = np.array([1, 3, 4, 2])
LISTS = np.array([[5, 7, 3], [4, 5, 2], [2, 3, 5], [1, 4, 6], [5, 3, 7]])
PLAYS = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}  # 7 is in no training row
LOG2_3 = math.log2(3)


def measure(name):
    settings = {"metrics": [name], "valid_metric": name if name in VALUES else f"{name}@10"}
    more = {"eval_args": {"mode": "labeled"}} if name in VALUES[:4] else {}
    config = make_config("BPR", topk=[10], metric_decimal_place=4, tail_ratio=0.1, **settings, **more)
    return metrics_dict[name.lower()](config)


VALUES = ("AUC", "RMSE", "LogLoss", "MAE", "GAUC")


@pytest.mark.parametrize(
    ("name", "of_wanted", "expected"),
    [
        pytest.param("Hit", False, [[0, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 1]], id="hit"),
        pytest.param(
            "NDCG",
            True,
            [
                [0, 0, 0],
                [1, 1, 1],
                [1, 1 / (1 + 1 / LOG2_3), 1.5 / (1.5 + 1 / LOG2_3)],
                [0, 0, 0.5 / (1 + 1 / LOG2_3)],
            ],
            id="ndcg",
        ),
        pytest.param("MRR", False, [[0, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 1 / 3]], id="mrr"),
        pytest.param("MAP", True, [[0, 0, 0], [1, 1, 1], [1, 1 / 2, 5 / 9], [0, 0, 1 / 6]], id="map"),
        pytest.param(
            "Recall", True, [[0, 0, 0], [1 / 3, 2 / 3, 1], [1 / 4, 1 / 4, 1 / 2], [0, 0, 1 / 2]], id="recall"
        ),
        pytest.param(
            "Precision", False, [[0, 0, 0], [1, 1, 1], [1, 1 / 2, 2 / 3], [0, 0, 1 / 3]], id="precision"
        ),
    ],
)
def test_hits(name, of_wanted, expected):
    values = measure(name).metric_info(HITS, *([WANTED] if of_wanted else []))
    assert np.allclose(values, expected)


def test_itemcoverage():
    assert measure("ItemCoverage").get_coverage(LISTS, 8) == 7 / 8


def test_averagepopularity():
    of = measure("AveragePopularity")
    sums = np.array([[4, 4, 6], [3, 7, 8], [1, 3, 7], [0, 3, 8], [4, 6, 6]])
    assert np.allclose(of.metric_info(of.get_pop(LISTS, PLAYS)), sums / [1, 2, 3])


SHOWN = [1, 2, 3, 2, 4, 1, 2]  # how often items 1 to 7 are in the lists; 0 never is


def test_giniindex():
    """The mean difference between how often two items are shown, over twice the mean."""
    shown = np.array([0, *SHOWN])
    differences = np.abs(shown[:, None] - shown).mean()
    assert measure("GiniIndex").get_gini(LISTS, 8) == pytest.approx(differences / (2 * shown.mean()))


def test_shannonentropy():
    shares = np.array(SHOWN) / 15
    expected = -np.mean(shares * np.log(shares))
    assert measure("ShannonEntropy").get_entropy(LISTS) == pytest.approx(expected)


def test_tailpercentage():
    """Of six items a tenth, so one, is the tail: item 1."""
    of = measure("TailPercentage")
    shares = np.zeros((5, 3))
    shares[3] = 1, 1 / 2, 1 / 3
    assert np.allclose(of.metric_info(of.get_tail(LISTS, PLAYS)), shares)


def test_gauc():
    """Areas under the curves of users with 1, 2 and 3 items to be found, weighed by these numbers."""
    ranks, sizes, found = np.array([1, 4, 9]), np.array([2, 3, 5]), np.array([1, 2, 3])
    areas = [(size - (n - 1) / 2 - rank / n) / (size - n) for rank, size, n in zip(ranks, sizes, found)]
    of = measure("GAUC")
    assert of.metric_info(ranks, sizes, found) == pytest.approx(np.average(areas, weights=found))
    # users with nothing, or everything, to be found have no pairs
    all_or_none = np.array([3, 0, 6]), np.array([3, 6, 4]), np.array([1, 0, 4])
    assert of.metric_info(*all_or_none) == pytest.approx(0.0)


SCORES = np.array([0.1, 0.9, 0.2, 0.3]), np.array([0.7, 0.5, 0.6, 0.2])
LABELS = np.array([1, 0, 1, 1]), np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        pytest.param("AUC", 0, 1 / 2, id="auc"),
        pytest.param("RMSE", math.sqrt(2.75 / 4), math.sqrt(0.94 / 4), id="rmse"),
        pytest.param(
            "LogLoss",
            -sum(map(math.log, (0.1, 0.1, 0.2, 0.3))) / 4,
            -sum(map(math.log, (0.3, 0.5, 0.6, 0.8))) / 4,
            id="logloss",
        ),
        pytest.param("MAE", 3.3 / 4, 1.8 / 4, id="mae"),
    ],
)
def test_values(name, first, second):
    for scores, labels, expected in zip(SCORES, LABELS, (first, second)):
        assert measure(name).metric_info(scores, labels) == pytest.approx(expected)
