from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
import recbole.model.sequential_recommender
import yaml
from recbole.utils.argument_list import dataset_arguments

from recbole_popaware import properties, schema
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError, did_you_mean
from recbole_popaware.safe_yaml import read_properties
from recbole_popaware.utils import MODELS

RECBOLE = Path(recbole.__file__).parent / "properties"


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
    settings = {"topk": "[5, 10]"}
    Config("PopSASRec", config_dict=settings, argv=())
    assert settings == {"topk": "[5, 10]"}


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
    ("model", "settings", "message"),
    [
        ("SASRec", {"train_targets": "all"}, "one target a row"),
        ("SASRec", {"loss_type": "gBCE"}, "CE or BPR"),
        ("PopSASRec", {"loss_type": "hinge"}, "SampledCE"),
        ("PopSASRec", {"transform": "mask_itemseq"}, "train_targets=next"),
        ("PopGSASRec", {"negatives": 0}, "negatives"),
        ("PopGSASRec", {"gbce_t": 1.5}, "gbce_t"),
        ("PopBERT4Rec", {"mask_last": 2}, "mask_last"),
        ("PopSASRec", {"share_embeddings": "yes"}, "share_embeddings"),
        ("XGBoost", {}, "decision trees"),
        ("BPR", {"train_neg_sample_args": None}, "learns from pairs"),
    ],
)
def test_training_that_cannot_work_is_refused(model, settings, message):
    with pytest.raises(UsageError, match=message):
        Config(model, config_dict=settings, argv=())


def test_settings_survive_as_text():
    first = Config("PopBERT4Rec", config_dict={"topk": [3, 10], "seed": 5}, argv=())
    settings = json.loads(first.settings_as_text())
    again = Config(config_dict=settings, argv=())
    assert again.settings_as_text() == first.settings_as_text()
    differing = {k for k, v in first.final_config_dict.items() if again[k] != v}
    assert not differing


@pytest.mark.parametrize(
    ("settings", "message"),
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
        ({"eval_args": {"group_by": "item"}}, "must be user or none"),
        ({"eval_args": {"splits": {}}}, "unknown key [splits]"),
        ({"eval_args": {"split": {"RS": [0.8, 0.2]}}}, "three shares"),
        ({"eval_args": {"split": {"LS": "both"}}}, "valid_and_test"),
        ({"eval_args": {"order": "RO"}}, "say order: TO"),
        ({"eval_args": {"mode": "uni"}}, "uni100"),
        ({"eval_args": {"mode": "labeled"}}, "ranked lists"),
        ({"worker": "x"}, "worker"),
        ({"worker": -1}, "worker"),
        ({"weight_decay": "x"}, "weight_decay"),
        ({"clip_grad_norm": 5}, "max_norm"),
        ({"clip_grad_norm": {"norm": 5}}, "max_norm"),
        ({"layer_norm_eps": 0}, "layer_norm_eps"),
        ({"initializer_range": "wide"}, "initializer_range"),
        ({"seed": 2**32}, "at most 4294967295"),
        ({"load_col": ["user_id"]}, "{inter: [user_id, item_id]}"),
        ({"load_col": {"inter": None}}, "load_col"),
        ({"val_interval": "{'rating':'(0,inf'}"}, "an interval"),
        ({"val_interval": "{'rating':'(0,inf'"}, "an interval"),
        ({"val_interval": {"rating": "[3,1]"}}, "an interval"),
        ({"val_interval": {"user_id": [1]}}, "tokens, as text"),
        ({"user_inter_num_interval": "5"}, "an interval"),
        ({"encoding": "klingon"}, "encoding that Python knows"),
        ({"encoding": "hex"}, "encoding that Python knows"),
        ({"metric_decimal_place": -1}, "metric_decimal_place"),
        ({"loss_decimal_place": 1000}, "loss_decimal_place"),
        ({"dataset": "../x"}, "without /"),
        ({"MAX_ITEM_LIST_LENGTH": 10**8}, "at most 100000"),
        ({"use_gpu": "x"}, "True or False"),
        ({"state": "FOO"}, "debug, info"),
        ({"show_progress": "x"}, "True or False"),
        ({"shuffle": "x"}, "True or False"),
        ({"learner": 5}, "adam, adamw"),
        ({"learner": "sparse_adam"}, "adam, adamw"),
        ({"log_wandb": True}, "wandb, which is not installed"),
        ({"field_separator": "ab"}, "one character"),
        ({"seq_separator": ""}, "one character"),
        ({"benchmark_filename": ["a"]}, "three names"),
        ({"benchmark_filename": ["../a", "b", "c"]}, "three names"),
        ({"additional_feat_suffix": "../a"}, "without /"),
        ({"alias_of_item_id": "item_id"}, "a list of names"),
        ({"discretization": {"x": {"method": "ED", "bucket": 3}}}, "numerical_features"),
        ({"threshold": {"rating": 1, "x": 2}}, "threshold"),
        ({"hidden_act": "step"}, "gelu"),
        ({"n_heads": 3}, "must divide hidden_size"),
        ({"HISTORY_END_FIELD": "item_id"}, "both name the field [item_id]"),
        ({"pps_epsilon": 1e-300}, "above 0"),
        ({"transform": "crop_itemseq", "train_targets": "next"}, "needs eta"),
        ({"normalize_all": True, "normalize_field": ["rating"]}, "cannot both be set"),
        ({"unload_col": {"inter": ["rating"]}}, "load_col and unload_col"),
        ({"MODEL_TYPE": "x"}, "left to the model"),
        ({"local_rank": 0}, "say --nproc=N"),
        ({"my_own": 2**64}, "beyond 64 bits"),
        ({"note": "\udc80"}, "broken text"),
    ],
)
def test_impossible_values_get_one_clear_error(settings, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Config("PopSASRec", config_dict=settings, argv=())


@pytest.mark.parametrize("name", ["PopSasRec", "Popularity", "os", "sasrec"])
def test_an_unknown_model_is_told_what_there_is(name):
    with pytest.raises(UsageError, match=r"ours are PopSASRec.*RecBole's"):
        Config(name, argv=())


def test_no_model_at_all_is_told_how_to_name_one():
    with pytest.raises(UsageError, match="--model=PopSASRec"):
        Config(argv=())


@pytest.mark.parametrize(
    "eval_args", [{}, {"split": {"LS": "test_only"}}, {"mode": "full"}, {"group_by": None}, {"order": "TO"}]
)
def test_what_eval_args_leave_out_is_as_in_our_file(eval_args):
    config = Config("PopSASRec", config_dict={"eval_args": eval_args}, argv=())
    ours = yaml.safe_load((properties.FOLDER / "overall.yaml").read_text())["eval_args"]
    assert config["eval_args"] == {**ours, **eval_args, "mode": {"valid": "full", "test": "full"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("val_interval", {"rating": "[0,3];(5,inf)", "user_id": ["a", "b"]}),
        ("clip_grad_norm", {"max_norm": 5, "norm_type": "inf"}),
        ("gpu_id", "-1"),
        ("seed", 2**32 - 1),
        ("load_col", {"inter": "*"}),
        ("encoding", "latin-1"),
        ("state", "warning"),
        ("learner", "AdamW"),
        ("additional_feat_suffix", ["ent"]),
    ],
)
def test_possible_values_pass(name, value):
    assert Config("PopSASRec", config_dict={name: value}, argv=())[name] == value


def test_values_of_the_command_line_with_commas_are_lists_and_survive_in_checkpoints():
    argv = ["--topk=5,10", "--metrics=('NDCG', 'MRR')", "--valid_metric=NDCG@5", "--gpu_id=0,1"]
    config = Config("PopSASRec", argv=argv)
    assert (config["topk"], config["metrics"], config["gpu_id"]) == ([5, 10], ["NDCG", "MRR"], "0,1")
    settings = json.loads(config.settings_as_text())
    assert (settings["topk"], settings["metrics"]) == ([5, 10], ["NDCG", "MRR"])


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [("GRU4Rec", "num_layers", "two"), ("GRU4Rec", "dropout_prob", 2), ("SHAN", "short_item_length", [])],
)
def test_properties_of_recbole_s_models_are_of_the_kind_of_their_default(model, name, value):
    with pytest.raises(UsageError, match=name):
        Config(model, config_dict={name: value}, argv=())


SEQUENTIAL = sorted(
    name
    for name, model in vars(recbole.model.sequential_recommender).items()
    if isinstance(model, type) and Path(RECBOLE, "model", f"{name}.yaml").is_file()
)


@pytest.mark.parametrize("model", [*MODELS, *SEQUENTIAL])
def test_the_defaults_of_every_sequential_model_pass(model):
    assert Config(model, argv=())["model"] == model


def test_every_property_of_the_files_has_a_check_that_its_default_passes():
    ours = [file for file in properties.FOLDER.rglob("*.yaml") if file.parent.name != "experiments"]
    for file in [*ours, RECBOLE / "overall.yaml", RECBOLE / "dataset" / "sample.yaml"]:
        settings = read_properties(file)
        assert settings
        assert not settings.keys() - schema.CHECKS.keys(), file
        schema.check_values(settings)


def test_a_known_name_is_no_hint_for_itself():
    assert did_you_mean("topk", ["topk", "top"]) == ""
    assert did_you_mean("topks", ["topk", "top"]) == " (did you mean topk?)"
    assert did_you_mean("POPSASREC", ["PopSASRec", "PopBERT4Rec"]) == " (did you mean PopSASRec?)"
    assert did_you_mean("x" * 10_000, ["x" * 9_999]) == ""


def test_a_preset_is_no_path(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.yaml").write_text("protocol: ../model/MostPop\n")
    with pytest.raises(UsageError, match="protocol"):
        Config("PopSASRec", "mine", config_dict={"data_path": str(tmp_path)}, argv=())


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
    assert "did you mean pps_epsilon?" in caplog.text


def test_every_line_of_the_property_files_explains_itself():
    all_files = properties.FOLDER.rglob("*.yaml")
    files = sorted(file for file in all_files if file.parent.name != "experiments")  # they use properties
    assert {f"{model}.yaml" for model in MODELS} <= {file.name for file in files}
    for file in files:
        settings = yaml.safe_load(file.read_text())
        assert isinstance(settings, dict), file
        for line in file.read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.search(r"# \((str|int|float|bool|list|dict)\) \w", line) or line.endswith(
                    "rating]"
                ), f"{file.name}: {line}"


def test_settings_of_a_checkpoint_are_accepted_again_where_a_default_is_the_word_none(toy):
    settings = json.loads(Config("FEARec", config_dict=toy, argv=()).settings_as_text())
    assert settings["fredom_type"] is None
    assert Config(config_dict=settings, argv=()).model == "FEARec"
