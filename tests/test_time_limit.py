from __future__ import annotations

from itertools import count

import pytest
from helpers import TRAIN, arguments, run_command

from recbole_popaware import time_limit
from recbole_popaware.config import Config
from recbole_popaware.optimisation import steps_of
from recbole_popaware.quick_start import load_data_and_model, prepare, train
from recbole_popaware.utils import get_trainer

LONG = {"epochs": 6, "stopping_step": 9, "train_batch_size": 2}


@pytest.fixture
def clock(monkeypatch):
    """A second for each look at it: one at the start, then one after each batch and each validation."""
    seconds = count()
    monkeypatch.setattr(time_limit, "perf_counter", lambda: next(seconds))


@pytest.mark.parametrize("model", ["PopSASRec", "GRU4Rec"])
def test_training_ends_with_a_validation_of_the_epoch_in_which_the_time_is_up(toy, model, clock):
    batches = len(prepare(Config(model, config_dict={**toy, **LONG}, argv=())).train_data)
    limit = 2 * (batches + 1) + 2  # two epochs, and two batches of the third
    trained = train(Config(model, config_dict={**toy, **LONG, "training_seconds": limit}, argv=()))
    result = trained.result
    assert result["epochs"] == 3
    assert steps_of(trained.trainer.optimizer) == 2 * batches + 2 < 3 * batches
    loaded = load_data_and_model(result["checkpoint"])
    trainer = get_trainer(loaded.config["MODEL_TYPE"], model)(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]
    valid = trainer.evaluate(loaded.valid_data, load_best_model=False)
    assert valid == result["best_valid_result"]


def test_at_least_one_batch_is_trained(toy):
    trained = train(Config("PopSASRec", config_dict={**toy, **LONG, "training_seconds": 1e-9}, argv=()))
    assert trained.result["epochs"] == steps_of(trained.trainer.optimizer) == 1


@pytest.mark.parametrize("limit", [None, 600])
def test_until_the_limit_all_epochs_are_trained_and_the_caller_hears_of_each(toy, limit):
    epochs: list[int] = []
    config = Config("PopSASRec", config_dict={**toy, **LONG, "training_seconds": limit}, argv=())
    trained = train(config, on_epoch=lambda epoch, score: epochs.append(epoch))
    assert epochs == list(range(trained.result["epochs"])) == list(range(6))


@pytest.mark.slow
def test_processes_end_together(toy):
    settings = arguments({**toy, **LONG}, training_seconds=0.001, gpu_id="")
    code, errors = run_command(TRAIN, "--model=PopSASRec", "--nproc=2", *settings)
    assert code == 0, errors
