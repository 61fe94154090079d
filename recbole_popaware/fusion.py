"""How much of the network goes into inference, tried on the validation part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from logging import getLogger
from typing import Any

Validation = tuple[float, dict[str, float]]  # the score that decides, and all measures

logger = getLogger(__name__)


class WeightTrials:
    """Validates a model once with each weight of its network's scores, and keeps the best weight.

    It is the one that inference has from then on: the model's ``inference_weight``, which a checkpoint holds.
    Training does not see it: a network that over-fits learns as before, and counts less.

    Args:
        model: The model; ours, if there are weights.
        weights: ``network_weights``; none: a validation is made once, as the model is.
        bigger: Whether a bigger score is better.
    """

    def __init__(self, model: Any, weights: Sequence[float] | None, bigger: bool) -> None:
        self._model = model
        self._weights = sorted(weights or (), reverse=True)  # curves show the first, fullest one
        self._sign = 1 if bigger else -1

    def __call__(self, validate: Callable[[], Validation]) -> Validation:
        """Validate with each weight; the best result is the validation's."""
        if not self._weights:
            return validate()
        kept = self._model.inference_weight
        results = []
        for weight in self._weights:
            kept.fill_(weight)
            results.append(validate())
        best = max(range(len(results)), key=lambda index: self._sign * results[index][0])
        kept.fill_(self._weights[best])
        logger.info("network's weight in inference: %g", self._weights[best])
        return results[best]
