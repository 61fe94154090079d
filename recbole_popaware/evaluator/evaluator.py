"""RecBole's evaluator with our measures, and with values per user."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import recbole.evaluator
from recbole.evaluator import register
from recbole.evaluator.base_metric import TopkMetric

from recbole_popaware.evaluator import metrics, yambda
from recbole_popaware.evaluator.base import UserMeasure


def register_measures() -> None:
    """Make our measures known to RecBole under their names; once is enough, more does no harm."""
    for module in (metrics, yambda):
        smaller, needs, types, classes = register.cluster_info(module.__name__)
        register.smaller_metrics.extend(set(smaller) - set(register.smaller_metrics))
        register.metric_information.update(needs)
        register.metric_types.update(types)
        register.metrics_dict.update(classes)


class PopAwareEvaluator(recbole.evaluator.Evaluator):
    """Stock, except that the last evaluation's values can be had for each user."""

    def evaluate(self, dataobject: Any) -> dict[str, float]:
        """Compute all measures; see stock."""
        self._collected = dataobject
        result: dict[str, float] = super().evaluate(dataobject)
        return result

    def per_user(self, user_names: np.ndarray) -> pd.DataFrame:
        """Lay out the last evaluation's values: columns user, metric, value; undefined ones are left out.

        Args:
            user_names: Original id of each user number.
        """
        users = user_names[self._collected.get("data.users").numpy()]
        parts = []
        for name, metric in self.metric_class.items():
            values = _values(metric, self._collected)
            if values is None:
                continue
            for k in self.config["topk"]:
                part = {"user": users, "metric": f"{name}@{k}", "value": values[:, k - 1]}
                parts.append(pd.DataFrame(part))
        return pd.concat(parts, ignore_index=True).dropna(ignore_index=True)


def _values(metric: Any, collected: Any) -> np.ndarray | None:
    """Values ``[users, K]`` of a measure, ours or a list measure of RecBole's; ``None`` for other kinds."""
    if isinstance(metric, UserMeasure):
        return metric.per_user(collected)
    if not isinstance(metric, TopkMetric) or "rec.topk" not in metric.metric_need:
        return None
    arrays = metric.used_info(collected)
    return np.asarray(metric.metric_info(*arrays[: len(inspect.signature(metric.metric_info).parameters)]))
