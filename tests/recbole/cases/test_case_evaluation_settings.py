"""RecBole's tests/evaluation_setting: splits, orders and modes of evaluation, with four models each."""

from __future__ import annotations

import math

import pytest
from either_recbole import run

SPLITS = {"ls": {"LS": "valid_and_test"}, "rs": {"RS": [0.8, 0.1, 0.1]}}
GENERAL = ("BPR", "NeuMF", "FISM", "LightGCN")
SHORT = {"MAX_ITEM_LIST_LENGTH": 10, "reproducibility": False}


def evaluates(shaped, name, models, **more):
    """Run models under a setting, such as ``rols_uni100``."""
    setting, _, mode = name.partition("_")
    settings = {"order": setting[:2].upper(), "split": SPLITS[setting[2:]], "mode": mode}
    for model in models:
        result = run(model, **{**shaped, "eval_args": settings, **more})
        assert all(0 <= value <= 1 or mode == "labeled" for value in result["test_result"].values())
        assert all(map(math.isfinite, result["test_result"].values()))


@pytest.mark.parametrize(
    "name",
    [
        *("rols_full", "tols_full", "tors_full"),
        *("rors_uni100", "tols_uni100", "rols_uni100", "tors_uni100"),
    ],
)
def test_general(shaped, name):
    evaluates(shaped, name, GENERAL)


def test_context_tors(shaped):
    evaluates(shaped, "tors_labeled", ("FM", "DeepFM", "DSSM", "AutoInt"), threshold={"rating": 4})


def test_sequential_tols_uni100(shaped):
    more = {"train_neg_sample_args": None}
    evaluates(shaped, "tols_uni100", ("FPMC",))
    evaluates(shaped, "tols_uni100", ("SASRec", "GRU4RecF"), **more)
    evaluates(shaped, "tols_uni100", ("Caser",), **more, **SHORT)
