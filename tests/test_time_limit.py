from __future__ import annotations

import pytest
from helpers import TRAIN, arguments, run_command

from recbole_popaware import time_limit
from recbole_popaware.config import Config
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware, train
from recbole_popaware.utils import get_trainer

LONG = {"epochs": 6, "stopping_step": 9}


@pytest.mark.parametrize("model", ["PopSASRec", "GRU4Rec"])
def test_training_ends_after_the_first_validation_past_the_limit(toy, model, monkeypatch):
    clock = iter(range(100))  # a second for each look at it
    monkeypatch.setattr(time_limit, "perf_counter", lambda: next(clock))
    result = run_recbole_popaware(model, config_dict={**toy, **LONG, "training_seconds": 3})
    assert result["epochs"] == 3
    loaded = load_data_and_model(result["checkpoint"])
    trainer = get_trainer(loaded.config["MODEL_TYPE"], model)(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]
    valid = trainer.evaluate(loaded.valid_data, load_best_model=False)
    assert valid == result["best_valid_result"]


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
