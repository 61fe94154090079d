from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from recbole_popaware.model.losses import bce, bpr, calibration_level, gbce_beta, sampled_ce
from recbole_popaware.model.negatives import NegativeSampler


def test_gbce_agrees_with_the_published_program(golden):
    values = golden["gbce"]
    beta = gbce_beta(values["n_negatives"], values["n_items"], values["t"])
    assert beta == pytest.approx(values["beta"], abs=1e-12)
    positive, negative = (
        torch.tensor(values[name], dtype=torch.float64) for name in ("positive", "negative")
    )
    losses = bce(positive, negative, torch.ones_like(negative, dtype=torch.bool), beta)
    # the reference takes the mean over the positive and its negatives, clamped as probabilities are
    expected = torch.tensor(values["loss_per_element"], dtype=torch.float64)
    torch.testing.assert_close(losses, expected, atol=1e-9, rtol=0)


def test_gbce_is_bce_at_t_zero():
    assert gbce_beta(16, 1000, 0.0) == pytest.approx(1.0)


def test_hand_made_losses():
    positive, negative = torch.zeros(1), torch.zeros(1, 3)
    mask = torch.tensor([[True, True, False]])
    assert bce(positive, negative, mask).item() == pytest.approx(math.log(2))
    assert bpr(positive, negative, mask).item() == pytest.approx(math.log(2))
    none_expected = torch.zeros(1)
    assert sampled_ce(positive, negative, mask, none_expected).item() == pytest.approx(math.log(3))


def test_a_sample_of_everything_gives_the_full_cross_entropy():
    scores = torch.randn(5, 8, dtype=torch.float64)
    targets = torch.tensor([0, 3, 3, 7, 1])
    everything = torch.arange(8).expand(5, -1)
    mask = everything != targets.unsqueeze(1)
    sampled = sampled_ce(scores.gather(1, targets[:, None]).squeeze(1), scores, mask, torch.zeros(1))
    torch.testing.assert_close(sampled, cross_entropy(scores, targets, reduction="none"))


@pytest.mark.parametrize("distribution", ["uniform", "log_uniform"])
def test_the_sampled_sum_is_an_unbiased_estimate(distribution):
    """The corrected sum over many draws comes near the sum over the catalogue, without its padding."""
    torch.manual_seed(1)
    scores = torch.randn(30)
    sampler = NegativeSampler(torch.arange(31), 200_000, distribution)
    drawn = sampler(1)
    assert drawn.items.min() == 1
    assert drawn.items.max() == 30
    estimate = torch.exp(scores[drawn.items - 1] - drawn.log_expected).sum()
    assert estimate.item() == pytest.approx(scores.exp().sum().item(), rel=0.02)


def test_log_uniform_prefers_what_is_played_most():
    plays = torch.tensor([0, 5, 100, 20])
    drawn = NegativeSampler(plays, 4, "log_uniform")(10_000).items
    shares = torch.bincount(drawn.flatten(), minlength=4)[1:] / drawn.numel()
    expected = torch.tensor([math.log(4 / 3), math.log(2), math.log(3 / 2)]) / math.log(4)
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0)


def test_every_item_of_a_large_catalogue_can_be_drawn():
    """In float32 uniform numbers are multiples of 2**-24, with which not half of the last ranks are met."""
    torch.manual_seed(1)
    n_items, n_drawn = 4_000_000, 2_000_000
    drawn = NegativeSampler(torch.zeros(n_items + 1), n_drawn, "log_uniform")(1).items
    in_last_half = drawn[drawn > n_items // 2]  # equal plays: ranks go by id
    slots, expected = n_items // 2, n_drawn * math.log(2) / math.log(n_items + 1)
    distinct = slots * (1 - math.exp(-expected / slots))
    assert len(in_last_half.unique()) == pytest.approx(distinct, rel=0.012)


def test_hand_made_levels():
    uniform = {k: NegativeSampler(torch.ones(5136), k).log_expected for k in (1, 256)}
    gsasrec = calibration_level(gbce_beta(256, 5135, 0.75), 5135, normalised=False)
    assert float(gsasrec - uniform[256]) == pytest.approx(-6.79, abs=0.01)
    assert float(calibration_level(1.0, 5135, normalised=False) - uniform[1]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("distribution", ["uniform", "log_uniform"])
def test_log_probabilities_at_their_level_are_where_the_loss_is_least(distribution, t):
    """The expected loss has no gradient there; a network's zeros are log-probabilities 1 / N, up to ln N."""
    sampler = NegativeSampler(torch.arange(31), 6, distribution)
    beta, items = gbce_beta(6, 30, t), torch.arange(1, 31)
    for normalised, probabilities in (
        (True, torch.rand(30).softmax(0)),
        (False, torch.full((30,), 1 / 30)),
    ):
        scores = probabilities.log() if normalised else torch.zeros(30)
        level = calibration_level(beta, 30, normalised) - sampler.log_expected_of(items)
        scores = (scores + level).double().requires_grad_()
        expected = sampler.log_expected_of(items).exp()
        loss = -(probabilities * beta * scores.sigmoid().log() + expected * (1 - scores.sigmoid()).log())
        loss.sum().backward()
        torch.testing.assert_close(scores.grad, torch.zeros(30, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_losses_and_gradients_stay_finite(dtype, size):
    for loss in (bpr, bce, lambda p, n, m: sampled_ce(p, n, m, torch.zeros(1))):
        positive = torch.tensor([-size, size], dtype=dtype, requires_grad=True)
        negative = torch.tensor([[size, -size]] * 2, dtype=dtype, requires_grad=True)
        value = loss(positive, negative, torch.ones(2, 2, dtype=torch.bool)).sum()
        value.backward()
        assert value.dtype == torch.float32
        assert value.isfinite()
        assert positive.grad.isfinite().all()
        assert negative.grad.isfinite().all()
