"""RecBole's tests/config/test_overall.py: every overall property, with values that it may have."""

from __future__ import annotations

import math

import pytest
from either_recbole import run

DRAWN = [{"distribution": "uniform", "sample_num": number} for number in (1, 2, 3)]
LISTS = {"metrics": ["Recall", "MRR", "NDCG", "Hit", "Precision"], "valid_metric": "Recall@1"}
VALUES = {
    "metrics": ["MAE", "RMSE", "LOGLOSS", "AUC"],
    "valid_metric": "auc",
    "eval_args": {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "RO", "mode": "uni20"},
}

SHARES = [{"split": {"RS": shares}} for shares in ([0.8, 0.1, 0.1], [16, 2, 2])]

CASES = {
    "gpu_id": ("gpu_id", ["0", "-1", "1"], {}),
    "use_gpu": ("use_gpu", [True, False], {}),
    "reproducibility": ("reproducibility", [True, False], {}),
    "seed": ("seed", [2021, 1024], {}),
    "data_path": ("data_path", ["{}/", "{}"], {}),
    "epochs": ("epochs", [0, 1, 2], {}),
    "train_batch_size": ("train_batch_size", [1, 2048, 200_000], {}),
    "learner": ("learner", ["adam", "sgd", "foo"], {}),
    "learning_rate": ("learning_rate", [0, 0.001, 1e-5], {}),
    "training_neg_sampling": ("train_neg_sample_args", DRAWN, {}),
    "eval_step": ("eval_step", [1, 2], {"epochs": 3}),
    "stopping_step": ("stopping_step", [0, 1, 2], {"epochs": 4}),
    "checkpoint_dir": ("checkpoint_dir", ["saved_1/", "./saved_2"], {}),
    "eval_batch_size": ("eval_batch_size", [1, 100], {}),
    "topk": ("topk", [1, [1, 3]], LISTS),
    "loss": ("topk", [1], VALUES),
    "metric": ("metrics", ["Recall", LISTS["metrics"]], {"topk": 3, "valid_metric": "Recall@3"}),
    "split_ratio": ("eval_args", SHARES, {}),
    "group_by_user": ("eval_args", [{"group_by": "user"}, {"group_by": "None"}], {}),
    "use_mixed_precision": ("enable_amp", [True, False], {}),
    "use_grad_scaler": ("enable_scaler", [True, False], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_overall(shaped, case):
    name, values, more = CASES[case]
    for value in values:
        given = value.format(shaped["data_path"]) if name == "data_path" else value
        result = run("BPR", **{**shaped, **more, name: given})["test_result"]
        assert result
        assert all(map(math.isfinite, result.values()))
