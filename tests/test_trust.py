from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import build, looping_plays, write_atomic

from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, prepare, run_recbole_popaware
from recbole_popaware.trust import keep_harmless, may_set, no_pickles


class Bomb:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def bomb(file):
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps([(Bomb(), None)] * 3))
    return str(file)


@pytest.mark.parametrize("model", ["MostPop", "PopSASRec", "DIN", "BPR"])
def test_training_unpickles_nothing_that_lies_about(toy, tmp_path, model):
    for name in (f"toy-for-{model}-dataloader", "toy-SequentialDataset", "toy-DINDataset", "toy-Dataset"):
        bomb(tmp_path / "saved" / f"{name}.pth")
    write_atomic(tmp_path / "data", "toy", looping_plays(n_items=40))
    run_recbole_popaware(model, config_dict={**toy, "metrics": ["NDCG"], "valid_metric": "NDCG@10"})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["save_dataset", "save_dataloaders", "dataset_save_path", "dataloaders_save_path"]
)
def test_pickled_data_are_neither_written_nor_read(toy, tmp_path, name):
    value = bomb("bomb.pth") if name.endswith("path") else True
    with pytest.raises(UsageError, match=rf"^{name} is .*runs code"):
        Config("MostPop", config_dict={**toy, name: value}, argv=())
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_s_settings_name_no_file_and_no_folder(toy, tmp_path, caplog):
    file = run_recbole_popaware("MostPop", config_dict=toy)["checkpoint"]
    checkpoint = read_checkpoint(file)
    settings = json.loads(checkpoint["settings"])
    assert {name for name in settings if not may_set(name)} == {"data_path"}
    bad = {name: bomb("bomb.pth") for name in ("dataset_save_path", "dataloaders_save_path", "resume_from")}
    bad |= {"checkpoint_dir": "elsewhere", "tensorboard_dir": "elsewhere", "log_wandb": True, "local_rank": 0}
    torch.save({**checkpoint, "settings": json.dumps({**settings, **bad})}, file)
    loaded = load_data_and_model(file)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert loaded.config["checkpoint_dir"] == "saved"
    lines = [line for line in caplog.text.splitlines() if str(file) in line]
    assert len(lines) == 1
    assert all(name in lines[0] for name in bad if name != "local_rank")


@pytest.mark.parametrize("value", ["../x", "/etc/passwd", "a/b", "..", "a\\b"])
@pytest.mark.parametrize("name", ["dataset", "benchmark_filename", "additional_feat_suffix"])
def test_what_names_a_file_of_the_data_is_no_path(name, value):
    for given in (value, [value, "fine"]):
        with pytest.raises(UsageError, match="must be a name"):
            keep_harmless({name: given}, "some file")
    assert keep_harmless({name: "fine-1.0"}, "some file") == {name: "fine-1.0"}


def test_the_file_beside_the_data_sets_properties_and_no_places(toy, tmp_path, caplog):
    beside = tmp_path / "data" / "toy" / "toy.yaml"
    beside.write_text("MAX_ITEM_LIST_LENGTH: 3\ncheckpoint_dir: elsewhere\ndata_path: /etc\nnproc: 9\n")
    del toy["MAX_ITEM_LIST_LENGTH"]
    config = Config("PopSASRec", config_dict=toy, argv=())
    assert (config["MAX_ITEM_LIST_LENGTH"], config["checkpoint_dir"]) == (3, "saved")
    assert Path(config["data_path"]) == tmp_path / "data" / "toy"
    assert caplog.text.count("checkpoint_dir, data_path, nproc") == 1
    beside.write_text(f"dataloaders_save_path: {bomb('bomb.pth')}\n")
    prepare(Config("PopSASRec", config_dict=toy, argv=()))
    assert not (tmp_path / "ran").exists()


def test_rules_for_the_names_that_there_are():
    assert all(
        map(may_set, ("load_col", "seed", "hidden_size", "warm_up_step", "direct", "eval_args", "topk"))
    )
    places = ("pre_model_path", "mf_pretrain_path", "use_pretrain", "warm_up", "config_file", "save_per_user")
    assert not any(map(may_set, places))


def test_recbole_s_models_unpickle_nothing(tmp_path):
    torch.save({"state_dict": Bomb()}, "weights.pth")
    np.save("array.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with no_pickles():
        with pytest.raises(pickle.UnpicklingError):
            torch.load("weights.pth", weights_only=False)
        with pytest.raises(ValueError, match="allow_pickle"):
            np.load("array.npy", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


def test_data_that_have_changed_are_read_again(toy, tmp_path):
    first = build("MostPop", toy)
    inter = tmp_path / "data" / "toy" / "toy.inter"
    inter.write_text(inter.read_text() + "u0\tnew\t1700000000\n")
    assert build("MostPop", toy).dataset.item_num == first.dataset.item_num + 1
