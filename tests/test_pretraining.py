"""S3Rec and RaCT in stages, as RecBole's documentation runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import SMALL, looping_plays, write_atomic

from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware

LOAD = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "class"]}


@pytest.fixture
def settings(tmp_path):
    folder = write_atomic(tmp_path, "toy", looping_plays(n_items=40)).parent
    classes = [f"i{n}\tc{n % 3} c{n % 5}" for n in range(40)]
    (folder / "toy.item").write_text("\n".join(["item_id:token\tclass:token_seq", *classes, ""]))
    more = {"pretrain_epochs": 3, "save_step": 2, "metrics": ["NDCG", "RepeatRecall"], "epochs": 2}
    eval_args = {"split": {"GTS": [0.6, 0.2, 0.2]}}
    return {**SMALL, **more, "data_path": str(tmp_path), "dataset": "toy", "eval_args": eval_args}


def run(model, settings, **more):
    return run_recbole_popaware(model, config_dict={**settings, "valid_metric": "NDCG@10", **more})


def test_s3rec_pretrains_and_finetunes(settings):
    settings["load_col"] = LOAD
    first = run("S3Rec", settings, train_stage="pretrain")
    assert sorted(file.name for file in Path("saved").iterdir()) == ["S3Rec-toy-2.pth", "S3Rec-toy-3.pth"]
    assert Path(first["checkpoint"]) == Path("saved/S3Rec-toy-3.pth")
    assert first["best_valid_result"] is None
    assert first["test_result"].keys() == {"ndcg@10", "repeatrecall@10"}

    stage = {"pre_model_path": first["checkpoint"], "learning_rate": 1e-30}  # no step shows
    tuned = run("S3Rec", settings, train_stage="finetune", **stage)
    before, after = (read_checkpoint(result["checkpoint"])["state_dict"] for result in (first, tuned))
    assert all(torch.allclose(before[name], after[name]) for name in before)
    assert tuned["test_result"] == pytest.approx(first["test_result"])
    assert tuned["best_valid_result"]["ndcg@10"] > 0
    weights = load_data_and_model(tuned["checkpoint"]).model.state_dict()
    assert all(torch.equal(weights[name], after[name]) for name in after)


def test_ract_runs_its_three_stages(settings):
    settings["metrics_k"] = 10  # of 35 items
    actor = run("RaCT", settings, train_stage="actor_pretrain", checkpoint_dir="actor")["checkpoint"]
    stage = {"pre_model_path": actor, "checkpoint_dir": "critic"}
    critic = run("RaCT", settings, train_stage="critic_pretrain", **stage)["checkpoint"]
    assert critic == "critic/RaCT-toy-3.pth"
    result = run("RaCT", settings, train_stage="finetune", pre_model_path=critic)
    assert result["best_valid_result"]["ndcg@10"] > 0


def test_a_stage_without_the_one_before_says_which_file_it_misses(settings):
    with pytest.raises(UsageError, match=r"RaCT refuses its properties.*gone\.pth"):
        run("RaCT", settings, train_stage="finetune", pre_model_path="gone.pth")


@pytest.mark.parametrize("save_step", [0, -1])
def test_a_step_that_is_none_is_refused(settings, save_step):
    with pytest.raises(UsageError, match="save_step is"):
        run("RaCT", settings, save_step=save_step)
