"""Where properties come from and which wins, and what RecBole derives from them, asked of our ``Config``."""

from __future__ import annotations

import pytest
from recbole.utils import EvaluatorType, InputType

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError

pytestmark = pytest.mark.slow


def test_the_command_line_wins_over_a_dictionary_and_that_over_files(tmp_path):
    (tmp_path / "a.yaml").write_text("model: BPR\ntopk: [1]\nepochs: 1\nlearning_rate: 0.1\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("topk: [2]\nvalid_metric: Recall@4\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    config = Config(None, "demo", files, {"topk": [3], "epochs": 2}, ["--topk=[4]"])
    names = ("model", "topk", "epochs", "learning_rate", "seed", "train_batch_size")
    assert [config[name] for name in names] == ["BPR", [4], 2, 0.1, 1, 2048]


@pytest.mark.parametrize(
    ("model", "metric", "mode", "negatives", "kind"),
    [
        ("BPR", "MRR@10", "full", "uniform", InputType.PAIRWISE),
        ("NeuMF", "MRR@10", "full", "uniform", InputType.POINTWISE),
        ("FM", "AUC", "labeled", "none", InputType.POINTWISE),
        ("CKE", "MRR@10", "full", "uniform", InputType.PAIRWISE),
        ("GRU4Rec", "NDCG@10", "full", "none", InputType.POINTWISE),
    ],
)
def test_defaults_go_by_the_kind_of_model(model, metric, mode, negatives, kind):
    config = Config(model, "demo", argv=())
    assert config["valid_metric"] == metric
    assert config["eval_args"]["mode"] == {"valid": mode, "test": mode}
    assert config["train_neg_sample_args"]["distribution"] == negatives
    assert config["MODEL_INPUT_TYPE"] == kind
    assert config["eval_type"] == (EvaluatorType.VALUE if metric == "AUC" else EvaluatorType.RANKING)


def test_what_a_table_of_negatives_or_evaluation_leaves_out_is_filled_up():
    some = {"train_neg_sample_args": {"sample_num": 3}, "eval_args": {"mode": {"valid": "uni5"}}}
    config = Config("BPR", "demo", config_dict=some, argv=())
    assert config["train_neg_sample_args"] == {
        **{"distribution": "uniform", "sample_num": 3, "alpha": 1.0},
        **{"dynamic": False, "candidate_num": 0},
    }
    assert config["eval_args"]["mode"] == {"valid": "uni5", "test": "uni5"}
    assert config["valid_neg_sample_args"] == {"distribution": "uniform", "sample_num": 5}
    assert config["eval_args"]["split"] == {"RS": [0.8, 0.1, 0.1]}


@pytest.mark.parametrize(("measure", "bigger"), [("AUC", True), ("LogLoss", False), ("RMSE", False)])
def test_whether_more_is_better_goes_by_the_measure(measure, bigger):
    config = Config("FM", "demo", config_dict={"metrics": [measure], "valid_metric": measure}, argv=())
    assert config["valid_metric_bigger"] is bigger


@pytest.mark.parametrize("text", ["[5,100]", "[1,2];(5,inf)", "(3,inf)"])
def test_intervals_of_the_command_line_are_intervals(text):
    config = Config("BPR", "demo", argv=[f"--user_inter_num_interval={text}"])
    assert str(config["user_inter_num_interval"]).replace(" ", "") == text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"metrics": ["AUC", "NDCG"], "eval_args": {"mode": "uni5"}}, "can not be used at the same time"),
        ({"metrics": ["Happiness"]}, "metrics"),
        ({"topk": [0]}, "topk"),
        ({"eval_args": {"mode": "uni"}}, "mode"),
        ({"eval_args": {"split": {"RS": [0.8]}}}, "three shares"),
        ({"train_neg_sample_args": {"distribution": "often"}}, "train_neg_sample_args"),
        ({"model_": 1, "learner": "fast"}, "learner"),
    ],
)
def test_what_recbole_refuses_is_refused(more, message):
    with pytest.raises(UsageError, match=message):
        Config("BPR", "demo", config_dict=more, argv=())
