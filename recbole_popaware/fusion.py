"""How much of the network goes into inference, tried on the validation part."""

from __future__ import annotations

from logging import getLogger
from typing import Any

logger = getLogger(__name__)


class WeightTrials:
    """Mixin before a RecBole trainer; differs from stock where ``network_weights`` names some.

    Each validation is then made once with each weight of the network's scores. The best one is the
    validation's result, and its weight the one that inference keeps: the model's ``inference_weight``, which
    a checkpoint holds. Training does not see it: a network that over-fits learns as before, and counts less.
    """

    config: Any
    model: Any
    valid_metric_bigger: bool

    def _valid_epoch(self, *args: Any, **kwargs: Any) -> tuple[float, dict[str, float]]:
        validate = super()._valid_epoch  # type: ignore[misc]  # the trainer's behind the mixin
        weights = self.config["network_weights"]
        if not weights:
            found: tuple[float, dict[str, float]] = validate(*args, **kwargs)
            return found
        kept = getattr(self.model, "module", self.model).inference_weight  # behind a distributed wrapper
        weights = sorted(weights, reverse=True)  # TensorBoard shows the scores of the first, fullest weight
        results = []
        for weight in weights:
            kept.fill_(weight)
            results.append(validate(*args, **kwargs))
        sign = 1 if self.valid_metric_bigger else -1
        best = max(range(len(weights)), key=lambda number: sign * results[number][0])
        kept.fill_(weights[best])
        logger.info("network's weight in inference: %g", weights[best])
        return results[best]
