from __future__ import annotations

import logging

import pytest
import torch
from helpers import build
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from recbole_popaware.collapse import COLLAPSED, SETTLED, CollapseWatch, mean_cosine
from recbole_popaware.curves import Sample
from recbole_popaware.model.sequential_recommender import PopSASRec
from recbole_popaware.quick_start import run_recbole_popaware


@given(st.integers(2, 6), st.integers(0, 2**31))
def test_the_mean_is_that_over_all_pairs(n, seed):
    hidden = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pairs = [float(cosine_similarity(hidden[i], hidden[j], dim=0)) for i in range(n) for j in range(i)]
    assert mean_cosine(hidden) == pytest.approx(sum(pairs) / len(pairs))


def test_hand_made_states():
    assert mean_cosine(torch.tensor([[1.0, 0], [0, 5]])) == pytest.approx(0)
    assert mean_cosine(torch.tensor([[2.0, 2], [3, 3], [-1, -1]])) == pytest.approx(-1 / 3)


def sample(model, batch, steps):
    nothing = torch.empty(0, dtype=torch.long)
    return Sample(model, batch, nothing, nothing, steps)


def let_collapse(model, monkeypatch):
    monkeypatch.setattr(model, "last_hidden", lambda batch: torch.ones(len(batch), 3), raising=False)


def test_a_collapsed_network_is_named_once(toy, monkeypatch, caplog):
    experiment = build("PopSASRec", toy)
    batch, watch = next(iter(experiment.valid_data))[0], CollapseWatch()
    with caplog.at_level(logging.WARNING, "recbole_popaware"):
        assert watch(sample(experiment.model, batch, SETTLED))["hidden/mean_cosine"] < COLLAPSED
        let_collapse(experiment.model, monkeypatch)
        watch(sample(experiment.model, batch, SETTLED - 1))
        assert not caplog.records
        for _ in range(2):
            assert watch(sample(experiment.model, batch, SETTLED))["hidden/mean_cosine"] == pytest.approx(1)
    (record,) = caplog.records
    assert "PopSASRec has collapsed" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_only_different_users_are_compared(toy):
    experiment = build("PopSASRec", toy)
    batch = next(iter(experiment.valid_data))[0]
    once = CollapseWatch()(sample(experiment.model, batch, 1))
    twice = batch[[0, 0, 1, 2, *range(len(batch))]]
    assert CollapseWatch()(sample(experiment.model, twice, 1)) == pytest.approx(once)
    assert CollapseWatch()(sample(experiment.model, batch[[0, 0]], 1)) == {}


def test_models_without_hidden_states_are_let_be(toy):
    experiment = build("GRU4Rec", toy)
    batch = next(iter(experiment.valid_data))[0]
    assert CollapseWatch()(sample(experiment.model, batch, SETTLED)) == {}


def test_training_logs_and_shows_the_cosine(toy, caplog):
    with caplog.at_level(logging.INFO, "recbole_popaware.collapse"):
        run_recbole_popaware("PopSASRec", config_dict={**toy, "state": "INFO", "epochs": 2})
    assert sum("mean cosine" in record.getMessage() for record in caplog.records) == 2


def test_training_warns_of_a_collapse(toy, monkeypatch, caplog):
    monkeypatch.setattr("recbole_popaware.collapse.SETTLED", 2)
    monkeypatch.setattr(PopSASRec, "last_hidden", lambda self, batch: torch.ones(len(batch), 8))
    settings = {**toy, "epochs": 3, "state": "INFO", "popularity_head": "none"}
    assert len(build("PopSASRec", settings).train_data) == 1
    with caplog.at_level(logging.WARNING, "recbole_popaware.collapse"):
        run_recbole_popaware("PopSASRec", config_dict=settings)
    assert "collapsed after 2 batches" in caplog.text
    assert caplog.text.count("collapsed") == 1
