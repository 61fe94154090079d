"""What our measures share: values per user, users left out where a measure is undefined."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import numpy as np
from recbole.evaluator.base_metric import AbstractMetric
from recbole.utils import EvaluatorType

logger = getLogger(__name__)


class UserMeasure(AbstractMetric):
    """A measure with one value per user and list length; ``nan`` where it is undefined for the user."""

    metric_type = EvaluatorType.RANKING
    metric_need: tuple[str, ...] = ()

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.topk: list[int] = config["topk"]

    def per_user(self, collected: Any) -> np.ndarray:
        """Values ``[users, max(topk)]``: column k - 1 is the measure of the first k items."""
        raise NotImplementedError

    def calculate_metric(self, dataobject: Any) -> dict[str, float]:
        """Mean over the users for whom the measure is defined, at each length of ``topk``."""
        name, values = type(self).__name__.lower(), self.per_user(dataobject)
        defined = ~np.isnan(values[:, 0])
        left_out = int((~defined).sum())
        if left_out:
            logger.info("%s: undefined for %d of %d users, left out", name, left_out, len(values))
        means = values[defined].mean(axis=0) if defined.any() else np.full(values.shape[1], np.nan)
        return {f"{name}@{k}": round(float(means[k - 1]), self.decimal_place) for k in self.topk}
