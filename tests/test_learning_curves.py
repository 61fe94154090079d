"""Plain networks learn, and do not collapse, on the simulated data that come with the package."""

from __future__ import annotations

from itertools import islice, repeat

import pytest
import torch

from recbole_popaware.collapse import mean_cosine
from recbole_popaware.config import Config
from recbole_popaware.quick_start import prepare
from recbole_popaware.trainer import Trainer

SETTINGS = {
    "eval_args": {"split": {"GTS": [0.8, 0.1, 0.1]}, "order": "TO", "mode": "full"},
    "metrics": ["GradedNDCG"],
    "valid_metric": "GradedNDCG@10",
    "popularity_head": "none",
    "MAX_ITEM_LIST_LENGTH": 50,
    "train_batch_size": 16,
    "state": "ERROR",
    "show_progress": False,
}


def train(model: str, steps: int, **more: object) -> tuple[float, float]:
    """Validation score and mean cosine between users after some batches."""
    experiment = prepare(Config(model, config_dict={**SETTINGS, **more}, argv=()))
    trainer = Trainer(experiment.config, experiment.model)
    trainer.eval_collector.data_collect(experiment.train_data)
    batches = (batch for _ in repeat(None) for batch in experiment.train_data)
    with torch.autograd.set_detect_anomaly(False):
        trainer._train_epoch(list(islice(batches, steps)), 0)
    score, _ = trainer._valid_epoch(experiment.valid_data)
    with torch.no_grad():
        return score, mean_cosine(experiment.model.last_hidden(next(iter(experiment.valid_data))[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "steps", "expected"),
    [("PopSASRec", 300, 0.26), ("PopGSASRec", 300, 0.23), ("PopBERT4Rec", 300, 0.21)],
)
def test_plain_networks_learn(model, steps, expected):
    score, cosine = train(model, steps)
    assert score > expected
    assert cosine < 0.8


@pytest.mark.slow
def test_without_a_calibrated_start_gsasrec_collapses():
    """So that the watch has something to see, and the test above a reason."""
    score, cosine = train("PopGSASRec", 300, calibrated_start=False)
    assert score < 0.2
    assert cosine > 0.99
