"""RecBole's tests/config/test_config.py: what settings are by default, and which of several wins."""

from __future__ import annotations

import pytest
from either_recbole import make_config

OF_DICT = {"learning_rate": 0.2, "topk": [50, 100], "valid_metric": "MRR@50", "epochs": 100}


@pytest.fixture
def files(tmp_path):
    file = tmp_path / "some.yaml"
    file.write_text(
        "learning_rate: 0.1\ntopk: [5, 20]\nvalid_metric: MRR@5\n"
        "eval_args: {split: {LS: valid_and_test}, order: TO, mode: {valid: uni100, test: full}}\n"
    )
    return (file,)


def evaluation(config):
    """Split, order, modes and grouping."""
    of = config["eval_args"]
    return of["split"], of["order"], of["mode"]["valid"], of["mode"]["test"], of["group_by"]


BY_SHARES = {"RS": [0.8, 0.1, 0.1]}
LAST_ONES = {"LS": "valid_and_test"}


def test_default_settings():
    config = make_config("BPR")
    assert (config["model"], config["dataset"]) == ("BPR", "ml-100k")
    for kind, properties in {
        str: "state data_path learner checkpoint_dir valid_metric gpu_id",
        int: "worker seed epochs train_batch_size eval_step stopping_step eval_batch_size",
        float: "learning_rate",
        dict: "train_neg_sample_args eval_args",
        list: "metrics topk",
    }.items():
        assert all(isinstance(config[name], kind) for name in properties.split())


def test_default_context_settings():
    config = make_config("FM")
    assert evaluation(config) == (BY_SHARES, "RO", "labeled", "labeled", None)
    assert (config["metrics"], config["valid_metric"]) == (["AUC", "LogLoss"], "AUC")
    drawn = config["train_neg_sample_args"]
    assert {drawn[name] for name in ("distribution", "sample_num", "alpha")} == {"none"}
    assert (drawn["dynamic"], drawn["candidate_num"]) == (False, 0)


def test_default_sequential_settings():
    config = make_config("SASRec", train_neg_sample_args=None)
    assert evaluation(config) == (LAST_ONES, "TO", "full", "full", "user")


def test_config_file_list(files):
    config = make_config("BPR", files=files)
    assert (config["model"], config["learning_rate"], config["topk"]) == ("BPR", 0.1, [5, 20])
    assert evaluation(config) == (LAST_ONES, "TO", "uni100", "full", "user")


def test_config_dict():
    config = make_config("BPR", **OF_DICT)
    assert (config["model"], config["learning_rate"], config["topk"]) == ("BPR", 0.2, [50, 100])
    assert evaluation(config) == (BY_SHARES, "RO", "full", "full", "user")


def test_priority(files):
    config = make_config("BPR", files=files, argv=("--seed=7", "--epochs=300"), **OF_DICT)
    assert (config["learning_rate"], config["topk"]) == (0.2, [50, 100])  # a dictionary before files
    assert evaluation(config) == (LAST_ONES, "TO", "uni100", "full", "user")
    assert (config["epochs"], config["seed"]) == (300, 7)  # the command line before both
