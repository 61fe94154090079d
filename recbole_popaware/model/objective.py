"""What training minimises: each target's loss, over the catalogue or over a sample of it.

An objective is chosen once for a model. It takes a :class:`~.scorer.Scorer` at T points, the hidden states
``[T, H]`` and the target items ``[T]`` there, and gives a loss for each target, ``[T]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recbole_popaware.model import losses
from recbole_popaware.model.negatives import Negatives, NegativeSampler
from recbole_popaware.model.pieces import in_pieces
from recbole_popaware.model.scorer import Scorer
from recbole_popaware.plays.play_index import PlayIndex, Queries


class Targets(NamedTuple):
    """What a batch trains.

    Attributes:
        hidden: ``[T, H]`` the network's view of each target's history.
        items: ``[T]`` items to be predicted.
        plays: The histories that the head counts.
        queries: The point before each target in them.
        states: ``[P, H]`` the network's state at each position of the histories, for CountNet's layer.
    """

    hidden: Tensor
    items: Tensor
    plays: PlayIndex
    queries: Queries
    states: Tensor | None = None


Objective = Callable[[Scorer, Tensor, Tensor], Tensor]


def catalogue_cross_entropy(scorer: Scorer, hidden: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over the whole catalogue, in pieces where that is large."""

    def losses_of(hidden: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        scores = scorer.at(index).catalogue(hidden)
        return nn.functional.cross_entropy(scores, targets, reduction="none")

    index = torch.arange(len(targets), device=targets.device)
    return in_pieces(losses_of, (hidden, targets, index), scorer.network.n_items)


def draw_once(sampler: NegativeSampler, scorer: Scorer, hidden: Tensor) -> tuple[Negatives, Tensor]:
    """Draw items ``[1, K]`` for all targets, and score them, ``[T, K]``."""
    drawn = sampler(1)
    return drawn, scorer.shared(hidden, drawn.items)


def draw_by_row(sampler: NegativeSampler, scorer: Scorer, hidden: Tensor) -> tuple[Negatives, Tensor]:
    """Draw items for each row, ``[T, K]`` of which each row's targets have the same, and score them."""
    drawn = sampler(len(scorer.plays.starts) - 1)
    return drawn.of_rows(scorer.queries.rows), scorer.shared(hidden, drawn.items)


def draw_by_target(sampler: NegativeSampler, scorer: Scorer, hidden: Tensor) -> tuple[Negatives, Tensor]:
    """Draw items for each target, ``[T, K]``, and score them."""
    drawn = sampler(len(hidden))
    return drawn, scorer.candidates(hidden, drawn.items)


DRAWS = {True: draw_once, "window": draw_by_row, False: draw_by_target}  # by shared_negatives


class SampledLoss(nn.Module):
    """A loss over each target and some items drawn at random.

    Args:
        negatives: Draws the items.
        shared: One of :data:`DRAWS`.
    """

    def __init__(self, negatives: NegativeSampler, shared: bool | str) -> None:
        super().__init__()
        self.negatives = negatives
        self._draw = DRAWS[shared]

    def forward(self, scorer: Scorer, hidden: Tensor, targets: Tensor) -> Tensor:
        """Loss of each target; arguments as in the module's docstring."""
        positive = scorer.candidates(hidden, targets.unsqueeze(1)).squeeze(1)
        drawn, negative = self._draw(self.negatives, scorer, hidden)
        return self.compare(positive, negative, drawn, targets)

    def compare(self, positive: Tensor, negative: Tensor, drawn: Negatives, targets: Tensor) -> Tensor:
        """The loss that scores make.

        Args:
            positive: ``[T]`` scores of the targets.
            negative: ``[T, K]`` scores of the drawn items.
            drawn: ``[T, K]`` or ``[1, K]`` those items.
            targets: ``[T]`` items.
        """
        raise NotImplementedError


class SampledCrossEntropy(SampledLoss):
    """:func:`~.losses.sampled_ce`."""

    def compare(self, positive: Tensor, negative: Tensor, drawn: Negatives, targets: Tensor) -> Tensor:
        """The loss that scores make."""
        return losses.sampled_ce(positive, negative, _others(drawn, targets), drawn.log_expected)


class Pairwise(SampledLoss):
    """:func:`~.losses.bpr`."""

    def compare(self, positive: Tensor, negative: Tensor, drawn: Negatives, targets: Tensor) -> Tensor:
        """The loss that scores make."""
        return losses.bpr(positive, negative, _others(drawn, targets))


class Binary(SampledLoss):
    """:func:`~.losses.bce`, over scores that start at the level where it is calibrated, if there is one.

    Args:
        negatives: As in the base class.
        shared: As in the base class.
        beta: 1 for BCE, that of :func:`~.losses.gbce_beta` for gBCE.
        level: :func:`~.losses.calibration_level`; ``None``: scores are taken as they are.
    """

    def __init__(
        self, negatives: NegativeSampler, shared: bool | str, beta: float, level: float | None
    ) -> None:
        super().__init__(negatives, shared)
        self.beta, self.level = beta, level

    def compare(self, positive: Tensor, negative: Tensor, drawn: Negatives, targets: Tensor) -> Tensor:
        """The loss that scores make."""
        if self.level is not None:
            positive = positive + (self.level - self.negatives.log_expected_of(targets))
            negative = negative + (self.level - drawn.log_expected)
        return losses.bce(positive, negative, _others(drawn, targets), self.beta)


def make_objective(config: Any, dataset: Any, normalised: bool) -> Objective:
    """Choose the objective that ``loss_type`` names, one of :data:`~.losses.LOSS_TYPES`.

    Args:
        config: ``loss_type``, ``negatives``, ``negative_sampling``, ``shared_negatives``, ``gbce_t`` and
            ``calibrated_start``.
        dataset: The training part, which counts the plays of each item.
        normalised: Whether scores start as logarithms of probabilities, as those of a head do.
    """
    loss_type, k, shared = config["loss_type"], config["negatives"], config["shared_negatives"]
    if loss_type == "CE":
        return catalogue_cross_entropy
    sampler = NegativeSampler(dataset.item_plays(), k, config["negative_sampling"])
    if loss_type == "SampledCE":
        return SampledCrossEntropy(sampler, shared)
    if loss_type == "BPR":
        return Pairwise(sampler, shared)
    beta = losses.gbce_beta(k, sampler.n_items, config["gbce_t"]) if loss_type == "gBCE" else 1.0
    calibrated = config["calibrated_start"]
    level = losses.calibration_level(beta, sampler.n_items, normalised) if calibrated else None
    return Binary(sampler, shared, beta, level)


def _others(drawn: Negatives, targets: Tensor) -> Tensor:
    """Where a drawn item is not the target itself, ``[T, K]``."""
    return drawn.items != targets.unsqueeze(1)
