"""RecBole's measures through our collector and evaluator, against numbers made by hand."""

from __future__ import annotations

import math

import pytest
import torch
from recbole.data.interaction import Interaction

from recbole_popaware.config import Config
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.evaluator import PopAwareEvaluator

pytestmark = pytest.mark.slow

# Items 1 to 5 of four users in the order of their scores, and what they play: all, two, none of the top, one.
LISTS = [[1, 2, 3, 4, 5], [3, 1, 5, 2, 4], [5, 4, 3, 2, 1], [2, 5, 1, 4, 3]]
PLAYED = [[1, 2], [1, 4], [1], [5]]
LOG2_3 = math.log2(3)


def evaluate(metrics, **more):
    settings = {"metrics": metrics, "valid_metric": metrics[0] + "@3" * (metrics != ["GAUC"]), "topk": [1, 3]}
    config = Config("BPR", "demo", config_dict={**settings, "metric_decimal_place": 6, **more}, argv=())
    scores = torch.full((4, 6), -math.inf)
    for row, items in enumerate(LISTS):
        scores[row, items] = torch.arange(5, 0, -1).float()
    rows = torch.tensor([row for row, items in enumerate(PLAYED) for _ in items])
    collector = PopAwareCollector(config)
    collector.data_struct.set("data.num_items", 6)
    collector.data_struct.set("data.count_items", {1: 10, 2: 4, 3: 1, 4: 1, 5: 2})
    collector._of_training = {"data.num_items", "data.count_items"}
    batch = Interaction({"user_id": torch.arange(4)})
    collector.eval_batch_collect(
        scores, batch, rows, torch.tensor([item for items in PLAYED for item in items])
    )
    return PopAwareEvaluator(config).evaluate(collector.get_data_struct())


@pytest.mark.parametrize(
    ("measure", "at_1", "at_3"),
    [
        ("Hit", 1 / 4, 3 / 4),
        ("Recall", (1 / 2) / 4, (1 + 1 / 2 + 0 + 1) / 4),
        ("Precision", 1 / 4, (2 / 3 + 1 / 3 + 0 + 1 / 3) / 4),
        ("MRR", 1 / 4, (1 + 1 / 2 + 0 + 1 / 2) / 4),
        ("MAP", 1 / 4, (1 + (1 / 2) / 2 + 0 + 1 / 2) / 4),
        ("NDCG", 1 / 4, (1 + (1 / LOG2_3) / (1 + 1 / LOG2_3) + 0 + 1 / LOG2_3) / 4),
        ("ItemCoverage", 4 / 6, 5 / 6),  # the padding counts as an item
        ("AveragePopularity", (10 + 1 + 2 + 4) / 4, (15 / 3 + 13 / 3 + 4 / 3 + 16 / 3) / 4),
        ("ShannonEntropy", 2 * math.log(2) / 4, None),
    ],
)
def test_measures_of_lists(measure, at_1, at_3):
    values = evaluate([measure])
    assert values[f"{measure.lower()}@1"] == pytest.approx(at_1, abs=1e-5)
    if at_3 is not None:
        assert values[f"{measure.lower()}@3"] == pytest.approx(at_3, abs=1e-5)


def test_gauc_weighs_users_by_what_they_play():
    """Of pairs of a played and another item, the share in the right order: 1, 2 of 6, 0 and 3 of 4."""
    areas, weights = [1, 2 / 6, 0, 3 / 4], [2, 2, 1, 1]
    expected = sum(area * weight for area, weight in zip(areas, weights)) / sum(weights)
    assert evaluate(["GAUC"])["gauc"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("AUC", 3 / 4),  # of the four pairs of a 1 and a 0
        ("MAE", (0.1 + 0.6 + 0.3 + 0.2) / 4),
        ("RMSE", math.sqrt((0.01 + 0.36 + 0.09 + 0.04) / 4)),
        ("LogLoss", -sum(map(math.log, (0.9, 0.4, 0.7, 0.8))) / 4),
    ],
)
def test_measures_of_values(measure, expected):
    settings = {
        "metrics": [measure],
        "valid_metric": measure,
        "metric_decimal_place": 6,
        "threshold": {"rating": 1},
    }
    config = Config("FM", "demo", config_dict=settings, argv=())
    collector = PopAwareCollector(config)
    for part in (slice(0, 3), slice(3, 4)):  # two batches
        scores, labels = torch.tensor([0.9, 0.4, 0.3, 0.8])[part], torch.tensor([1.0, 1.0, 0.0, 1.0])[part]
        collector.eval_batch_collect(
            scores, Interaction({"label": labels}), torch.tensor([]), torch.tensor([])
        )
    value = PopAwareEvaluator(config).evaluate(collector.get_data_struct())[measure.lower()]
    assert value == pytest.approx(1.0 if measure == "AUC" else expected, abs=1e-5)
    assert "rec.score" not in collector.data_struct  # nothing is left for the next evaluation
