from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
import yaml
from recbole.utils.argument_list import dataset_arguments

from recbole_popaware import properties
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.utils import MODELS


def test_the_demo_is_the_default_data_set():
    config = Config("PopSASRec", argv=())
    assert config["dataset"] == "demo"
    assert Path(config["data_path"]).parent == properties.EXAMPLES


def test_files_yield_to_arguments_and_those_to_the_command_line(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("epochs: 1\nseed: 1\nhidden_size: 32\n")
    config = Config(
        "PopSASRec",
        config_file_list=[str(file)],
        config_dict={"epochs": 2, "seed": 2},
        argv=["--epochs=3"],
    )
    assert (config["epochs"], config["seed"], config["hidden_size"]) == (3, 2, 32)


def test_the_file_beside_the_data_wins_over_defaults(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.yaml").write_text("MAX_ITEM_LIST_LENGTH: 17\n")
    config = Config("SASRec", "mine", config_dict={"data_path": str(tmp_path)}, argv=())
    assert config["MAX_ITEM_LIST_LENGTH"] == 17


def test_values_are_read_and_never_run(tmp_path):
    bomb = f"__import__('pathlib').Path({str(tmp_path / 'ran')!r}).touch()"
    config = Config("PopSASRec", config_dict={"x": bomb, "y": "[1, 2]"}, argv=[f"--z={bomb}", "--w=None"])
    assert not (tmp_path / "ran").exists()
    assert config["z"] == config["x"] == bomb
    assert config["y"] == [1, 2]
    assert config["w"] is None


def test_a_value_may_hold_an_equals_sign():
    assert Config("PopSASRec", argv=["--note=a=b"])["note"] == "a=b"


def test_the_arguments_are_not_changed():
    given = {"topk": "[5, 10]"}
    Config("PopSASRec", config_dict=given, argv=())
    assert given == {"topk": "[5, 10]"}


def test_recbole_s_own_lists_do_not_leak():
    before = list(dataset_arguments)
    Config("SASRec", "ml-100k", argv=())
    assert dataset_arguments == before


@pytest.mark.parametrize("model", ["PopSASRec", "SASRec", "NARM"])
def test_cross_entropy_needs_no_word_on_negatives(model):
    assert Config(model, argv=())["train_neg_sample_args"]["distribution"] == "none"
    bpr = Config(model, config_dict={"loss_type": "BPR"}, argv=())
    drawn = "none" if model == "PopSASRec" else "uniform"  # ours draw their own
    assert bpr["train_neg_sample_args"]["distribution"] == drawn


@pytest.mark.parametrize(
    ("model", "settings", "told"),
    [
        ("SASRec", {"train_targets": "all"}, "one target a row"),
        ("SASRec", {"loss_type": "gBCE"}, "CE or BPR"),
        ("PopSASRec", {"loss_type": "hinge"}, "SampledCE"),
        ("PopSASRec", {"transform": "mask_itemseq"}, "train_targets=next"),
        ("PopGSASRec", {"negatives": 0}, "negatives"),
        ("PopGSASRec", {"gbce_t": 1.5}, "gbce_t"),
        ("PopBERT4Rec", {"mask_last": 2}, "mask_last"),
        ("PopSASRec", {"share_embeddings": "yes"}, "share_embeddings"),
    ],
)
def test_training_that_cannot_work_is_refused(model, settings, told):
    with pytest.raises(UsageError, match=told):
        Config(model, config_dict=settings, argv=())


def test_settings_survive_as_text():
    first = Config("PopBERT4Rec", config_dict={"topk": [3, 10], "seed": 5}, argv=())
    settings = json.loads(first.settings_as_text())
    again = Config(config_dict=settings, argv=())
    assert again.settings_as_text() == first.settings_as_text()
    differing = {k for k, v in first.final_config_dict.items() if again[k] != v}
    assert not differing


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"popularity_head": "tanh"}, "softmax, sigmoid, none"),
        ({"pps_epsilon": 0}, "above 0"),
        ({"pps_epsilon": "small"}, "above 0"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"MAX_ITEM_LIST_LENGTH": 0}, "MAX_ITEM_LIST_LENGTH"),
        ({"hidden_dropout_prob": 1}, "hidden_dropout_prob"),
        ({"mask_ratio": 0}, "mask_ratio"),
        ({"topk": 0}, "topk"),
        ({"topk": "ten"}, "topk"),
        ({"metrics": ["Beauty"]}, "Beauty"),
        ({"metrics": 5}, "a measure"),
        ({"valid_metric": "NDCG@7"}, "valid_metric"),
        ({"valid_metric": "Hit@10"}, "valid_metric"),
        ({"eval_args": "all"}, "eval_args"),
        ({"repeatable": False}, "repeatable"),
        ({"train_neg_sample_args": {"distribution": "uniform"}}, "train_neg_sample_args"),
    ],
)
def test_impossible_values_get_one_clear_error(settings, told):
    with pytest.raises(UsageError, match=re.escape(told)):
        Config("PopSASRec", config_dict=settings, argv=())


@pytest.mark.parametrize("name", ["PopSasRec", "Popularity", "os", "sasrec"])
def test_an_unknown_model_is_told_what_there_is(name):
    with pytest.raises(UsageError, match=r"ours are PopSASRec.*RecBole's"):
        Config(name, argv=())


def test_no_model_at_all_is_told_how_to_name_one():
    with pytest.raises(UsageError, match="--model=PopSASRec"):
        Config(argv=())


def test_the_same_key_twice_is_refused():
    with pytest.raises(UsageError, match="given twice"):
        Config("PopSASRec", argv=["--seed=1", "--seed=2"])


@pytest.mark.parametrize("text", ["epochs: [", "just words"])
def test_a_broken_property_file_is_refused_by_name(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    for name in ("bad.yaml", "gone.yaml"):
        with pytest.raises(UsageError, match=name):
            Config("PopSASRec", config_file_list=[str(tmp_path / name)], argv=())


def test_a_misspelt_property_is_pointed_out(caplog):
    with caplog.at_level(logging.WARNING):
        Config("PopSASRec", config_dict={"pps_epsilom": 0.1}, argv=())
    assert "did you mean [pps_epsilon]" in caplog.text


def test_every_line_of_the_property_files_explains_itself():
    found = properties.FOLDER.rglob("*.yaml")
    files = sorted(file for file in found if file.parent.name != "experiments")  # they use properties
    assert {f"{model}.yaml" for model in MODELS} <= {file.name for file in files}
    for file in files:
        settings = yaml.safe_load(file.read_text())
        assert isinstance(settings, dict), file
        for line in file.read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.search(r"# \((str|int|float|bool|list|dict)\) \w", line) or line.endswith(
                    "rating]"
                ), f"{file.name}: {line}"
