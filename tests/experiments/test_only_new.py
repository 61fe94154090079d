"""Trained systems judged by new items alone (``benchmarks/only_new.py``)."""

from __future__ import annotations

import importlib.util
import math

import pytest
from helpers import GTS, ROOT

from recbole_popaware.quick_start import run_recbole_popaware

SETTINGS = {"eval_args": GTS, "metrics": ["RepeatRecall", "ExploreRecall"], "valid_metric": "ExploreRecall@2"}


@pytest.fixture
def only_new():
    spec = importlib.util.spec_from_file_location("only_new", ROOT / "benchmarks" / "only_new.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.only_new


def test_counts_then_find_what_mostpop_finds(toy, only_new):
    """Of the items that a user has not played, both rank the popular ones first."""
    of_model = {}
    for model in ("MostPop", "PersonalizedMostPop"):
        run = run_recbole_popaware(model, config_dict={**toy, **SETTINGS, "topk": [2]})
        of_model[model] = only_new(run["checkpoint"])
        assert math.isnan(of_model[model].pop("repeatrecall@2"))
    assert of_model["MostPop"] == of_model["PersonalizedMostPop"]


def test_the_weights_are_those_of_the_checkpoint(toy, only_new):
    settings = {**toy, **SETTINGS, "topk": [2]}
    masked = run_recbole_popaware("PopSASRec", config_dict={**settings, "epochs": 1, "mask_history": True})
    whole = run_recbole_popaware("PopSASRec", config_dict={**settings, "epochs": 1})
    assert only_new(whole["checkpoint"])["explorerecall@2"] == masked["test_result"]["explorerecall@2"]
