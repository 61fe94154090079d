from __future__ import annotations

import math

import pytest
import recbole.trainer
import torch
from helpers import build
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.optimisation import SCHEDULES, follow, rate_factor
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.trainer import Trainer


@given(st.sampled_from(SCHEDULES), st.integers(0, 20), st.integers(1, 50))
def test_a_rate_rises_to_its_full_value_and_then_never_rises(schedule, warmup, total):
    factors = [rate_factor(step, schedule, warmup, total) for step in range(80)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[warmup] == 1
    assert factors[: warmup + 1] == sorted(factors[: warmup + 1])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)
    if schedule != "constant":
        assert factors[max(total, warmup + 1)] == pytest.approx(0)


def test_hand_made_rates():
    assert [rate_factor(step, "linear", 3, 7) for step in range(7)] == [0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]
    assert rate_factor(1, "cosine", 0, 4) == pytest.approx((1 + math.sqrt(0.5)) / 2)


def test_each_group_keeps_its_own_full_rate():
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in (1.0, 10.0)]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    handle = follow(optimizer, lambda step: 1 / (step + 1))
    for step in range(3):
        optimizer.step()
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([1 / (step + 1), 10 / (step + 1)])
    handle.remove()
    optimizer.step()
    assert optimizer.param_groups[0]["steps"] == 3


def test_adam_takes_the_betas_in_all_groups(toy):
    experiment = build("PopSASRec", toy, adam_betas=[0.8, 0.98], pps_learn=["alpha"], pps_learning_rate=0.1)
    groups = Trainer(experiment.config, experiment.model).optimizer.param_groups
    assert [group["betas"] for group in groups] == [(0.8, 0.98)] * 2


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_resumed_training_follows_its_schedule_on(toy, monkeypatch, schedule):
    """Every epoch counts as the best one, so that the checkpoint is that of the epoch before the stop."""
    rates, scores = [], iter(range(1, 100))
    train_epoch = recbole.trainer.Trainer._train_epoch

    def spy(self, data, epoch, *args, **kwargs):
        loss = train_epoch(self, data, epoch, *args, **kwargs)
        rates.append(self.optimizer.param_groups[0]["lr"])
        return loss

    monkeypatch.setattr(recbole.trainer.Trainer, "_train_epoch", spy)
    monkeypatch.setattr(Trainer, "_valid_epoch", lambda *_, **__: (next(scores), {"ndcg@10": 0.0}))
    n_batches = len(build("PopSASRec", toy, train_batch_size=2).train_data)
    settings = {**toy, "train_batch_size": 2, "epochs": 4, "learning_rate_schedule": schedule}
    settings["warmup_steps"] = n_batches * 3 // 2

    def interrupt(epoch, score):
        if epoch == 1:
            raise KeyboardInterrupt

    whole = run_recbole_popaware("PopSASRec", config_dict=settings)
    expected, rates[:] = rates[:], []
    experiment = build("PopSASRec", settings)
    half = Trainer(experiment.config, experiment.model)
    with pytest.raises(KeyboardInterrupt):
        half.fit(experiment.train_data, experiment.valid_data, verbose=False, callback_fn=interrupt)
    run_recbole_popaware("PopSASRec", config_dict={**settings, "resume_from": half.saved_model_file})
    assert rates == expected
    assert len(set(rates)) > 1
    assert whole["epochs"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"adam_betas": 0.9},
        {"adam_betas": [0.9, 1]},
        {"warmup_steps": -1},
        {"learning_rate_schedule": "step"},
        {"initializer": "zeros"},
        {"calibrated_start": "yes"},
    ],
)
def test_impossible_settings_are_refused(toy, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Config("PopGSASRec", config_dict={**toy, **wrong}, argv=())
