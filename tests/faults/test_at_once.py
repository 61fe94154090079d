"""Eight trainings at once in one folder: a checkpoint, a log and a result for each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import TRAIN, arguments, build

from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.trainer import Trainer
from recbole_popaware.utils import get_trainer


def test_trainings_of_the_same_second_share_no_file(toy):
    first, second = (
        Trainer(experiment.config, experiment.model)
        for experiment in (build("PopSASRec", toy, seed=1), build("PopSASRec", toy, seed=2))
    )
    for trainer in (first, second):
        trainer._save_checkpoint(0, verbose=False)
    assert first.saved_model_file != second.saved_model_file
    for trainer in (first, second):
        saved = read_checkpoint(trainer.saved_model_file)["state_dict"]
        assert torch.equal(saved["item_embedding.weight"], trainer.model.item_embedding.weight)
    curves = {trainer.tensorboard.log_dir for trainer in (first, second)}
    assert len(curves) == 2


def test_a_checkpoint_of_that_name_is_not_replaced(toy):
    experiment = build("PopSASRec", toy)
    trainer = Trainer(experiment.config, experiment.model)
    Path(trainer.saved_model_file).write_text("another's")
    with pytest.raises(ValueError, match="exists"):
        trainer._save_checkpoint(0, verbose=False)
    assert Path(trainer.saved_model_file).read_text() == "another's"


def test_runs_one_after_the_other_have_logs_of_their_own(toy):
    for _ in range(3):
        run_recbole_popaware("MostPop", config_dict=toy)
    assert len(list(Path("log").rglob("*.log"))) == len(list(Path("saved").glob("*.pth"))) == 3
    assert len(list(Path("log_tensorboard").iterdir())) == 3


@pytest.mark.slow
def test_eight_at_once(toy):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(  # ours
            [sys.executable, str(TRAIN), "--model=PopSASRec", *arguments(toy, seed=seed, save_per_user=True)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for seed in range(8)
    ]
    outputs = [process.communicate(timeout=600) for process in started]
    assert [process.returncode for process in started] == [0] * 8, outputs
    for folder, kind in (("saved", "*.pth"), ("saved", "*.parquet"), ("log", "*.log")):
        assert len(list(Path(folder).rglob(kind))) == 8
    assert len(list(Path("log_tensorboard").iterdir())) == 8
    for seed, (out, _) in enumerate(outputs):
        file = re.search(r"weights of the best one: (.*)", out)[1]
        assert json.loads(read_checkpoint(file)["settings"])["seed"] == seed
        loaded = load_data_and_model(file)
        trainer = get_trainer(loaded.config["MODEL_TYPE"], "PopSASRec")(loaded.config, loaded.model)
        result = trainer.evaluate(loaded.test_data, load_best_model=False)
        assert f"{result['ndcg@10']:.4f}" in re.search(r"ndcg@10 +\S+ +(\S+)", out)[1]
