"""Training losses over scored candidates: one positive against negatives, or against the catalogue.

All take logits and give one loss a target, ``[T]``. Scores may be of any float type, the arithmetic is in
float32 at least. Nothing is clamped: every term is a ``logsigmoid`` or a ``logsumexp``, finite for all finite
scores.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

LOSS_TYPES = ("CE", "SampledCE", "BPR", "BCE", "gBCE")
SIGMOID_LOSSES = ("BCE", "gBCE")  # the head of a model that they train takes the sigmoid form


def sampled_ce(positive: Tensor, negative: Tensor, mask: Tensor, log_expected: Tensor) -> Tensor:
    """Cross-entropy whose sum over the catalogue is estimated from a sample of it.

    ``-s+ + ln(exp(s+) + sum_i exp(s_i - ln E_i))``, with ``E_i`` how often negative i is expected in the
    sample: an unbiased estimate of the sum, so that the loss tends to the full cross-entropy as the
    sample grows (Bengio and Senecal 2008; Blanc and Rendle, ICML 2018, section 2.2).

    Args:
        positive: ``[T]`` score of each target.
        negative: ``[T, K]`` scores of drawn items.
        mask: ``[T, K]`` False where the drawn item is the target itself.
        log_expected: ``ln E``, broadcast to ``[T, K]``.
    """
    positive, negative = _precise(positive), _precise(negative)
    corrected = (negative - log_expected).masked_fill(~mask, -torch.inf)
    return torch.logsumexp(torch.cat([positive.unsqueeze(-1), corrected], dim=-1), dim=-1) - positive


def bpr(positive: Tensor, negative: Tensor, mask: Tensor) -> Tensor:
    """``-ln sigma(s+ - s-)``, the mean over the negatives (Rendle et al., UAI 2009); arguments as above."""
    positive, negative = _precise(positive), _precise(negative)
    losses = -functional.logsigmoid(positive.unsqueeze(-1) - negative)
    return (losses * mask).sum(-1) / mask.sum(-1).clamp(min=1)


def bce(positive: Tensor, negative: Tensor, mask: Tensor, beta: float = 1.0) -> Tensor:
    """``-(beta * ln sigma(s+) + sum_i ln(1 - sigma(s_i))) / (k + 1)`` with k negatives.

    ``beta = 1`` is binary cross-entropy, as SASRec was published with k = 1; :func:`gbce_beta` gives that of
    gBCE. Arguments as above.
    """
    positive, negative = _precise(positive), _precise(negative)
    missed = functional.softplus(negative).mul(mask).sum(-1)
    return (missed - beta * functional.logsigmoid(positive)) / (mask.sum(-1) + 1)


def gbce_beta(n_negatives: int, n_items: int, t: float) -> float:
    """Power of the positive probability that corrects for the negatives being a sample.

    Petrov and Macdonald, "gSASRec", RecSys 2023 (arXiv 2308.07192), section 5.2.

    Args:
        n_negatives: k, drawn for each positive.
        n_items: N, items in the catalogue without the padding id.
        t: Calibration, 0 (plain BCE) to 1 (calibrated as the full softmax is).
    """
    alpha = n_negatives / (n_items - 1)
    return alpha * (t * (1 - 1 / alpha) + 1 / alpha)


def calibration_level(beta: float, n_items: int, normalised: bool) -> float:
    """What, less ``ln E``, sets scores where a loss over a sigmoid starts calibrated.

    Let item j be the target with probability p_j, and be expected ``E_j`` times among the k negatives that
    are drawn (``k / N`` if uniformly). The loss is least, over all scores, at ``s_j = ln(beta p_j / E_j)``:
    it sees the target far more often than the catalogue would show it. So a score that means ``ln p_j`` must
    enter the loss with ``ln beta - ln E_j`` added (noise-contrastive estimation; Mnih and Teh, ICML 2012).

    The sigmoid form of the popularity head is such a score. A network alone starts at 0 for every item, which
    can only mean ``p_j = 1 / N``: it needs ``-ln N`` as well, and starts with uniform negatives at
    ``ln(beta / k)``: 0 for BCE with one negative, -6.8 for gBCE with 256 of 5,135 items and t = 0.75.
    Without it the network finds this level by moving all hidden states to one direction, and is long in
    getting out of there.

    Args:
        beta: That of gBCE; 1 for BCE.
        n_items: N, items in the catalogue without the padding id.
        normalised: Whether scores start as logarithms of probabilities.
    """
    return math.log(beta) - (0.0 if normalised else math.log(n_items))


def _precise(scores: Tensor) -> Tensor:
    return scores if scores.dtype == torch.float64 else scores.float()
