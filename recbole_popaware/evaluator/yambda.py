"""The measures of the benchmark of Yambda (arXiv 2505.22238), as the program behind its tables computes them.

An item that was listened to n times is n targets, of which a list can hit one: duplicates count in the ideal
list of NDCG and in the number of targets that recall divides by. Every class in this module is registered
with RecBole's evaluator under its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from recbole.evaluator.base_metric import AbstractMetric
from recbole.utils import EvaluatorType

from recbole_popaware.evaluator.base import UserMeasure

Array = np.ndarray


def dcg(hits: Array) -> Array:
    """Discounted hits ``[users, K]``, with the discount ``1 / log2(position + 1)``."""
    result: Array = np.cumsum(hits / np.log2(np.arange(2, hits.shape[1] + 2)), axis=1)
    return result


def ndcg(hits: Array, target_plays: Array) -> Array:
    """Each user's DCG over the mean over users of the ideal DCG.

    Its mean over users is the program's NDCG, the ratio of two means, in which users with many targets weigh
    more than in the mean of ratios.

    Args:
        hits: ``[users, K]`` whether each recommended item is a target.
        target_plays: ``[users]`` how many plays the targets have, at least 1.

    Returns:
        ``[users, K]``; values above 1 are possible.
    """
    ideal = dcg((np.arange(hits.shape[1]) < target_plays[:, None]).astype(np.float64))
    return dcg(hits) / ideal.mean(axis=0)


def recall(hits: Array, target_plays: Array) -> Array:
    """Hits over all plays of the targets, even if they are more than k; arguments as of :func:`ndcg`."""
    result: Array = np.cumsum(hits, axis=1) / target_plays[:, None]
    return result


def coverage(lists: Array, n_trained: int) -> Array:
    """Distinct items among the first k of all lists over those with a training play.

    Args:
        lists: ``[users, K]`` recommended items, 0 where there is none.
        n_trained: How many items have a training play.

    Returns:
        ``[K]``.
    """
    items, first = np.unique(lists.T, return_index=True)  # by column, so that the first one is the smallest
    columns = (first // lists.shape[0])[items > 0]
    result: Array = np.bincount(columns, minlength=lists.shape[1]).cumsum() / n_trained
    return result


class YambdaNDCG(UserMeasure):
    """Mean DCG over mean ideal DCG."""

    metric_need = ("rec.gains", "data.target_plays")

    def per_user(self, collected: Any) -> Array:
        """See :func:`ndcg`."""
        return ndcg(_hits(collected), _target_plays(collected))


class YambdaDCG(UserMeasure):
    """Mean DCG."""

    metric_need = ("rec.gains",)

    def per_user(self, collected: Any) -> Array:
        """See :func:`dcg`."""
        return dcg(_hits(collected))


class YambdaRecall(UserMeasure):
    """Mean share of the target plays whose item is recommended, an item counting once."""

    metric_need = ("rec.gains", "data.target_plays")

    def per_user(self, collected: Any) -> Array:
        """See :func:`recall`."""
        return recall(_hits(collected), _target_plays(collected))


class YambdaCoverage(AbstractMetric):
    """Share of the items with training plays that someone is recommended, of the users who are evaluated."""

    metric_type = EvaluatorType.RANKING
    metric_need = ("rec.items", "data.trained_items")

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.topk: list[int] = config["topk"]

    def calculate_metric(self, dataobject: Any) -> dict[str, float]:
        """See :func:`coverage`."""
        values = coverage(dataobject.get("rec.items").numpy(), dataobject.get("data.trained_items"))
        return {f"yambdacoverage@{k}": round(float(values[k - 1]), self.decimal_place) for k in self.topk}


def _hits(collected: Any) -> Array:
    return (collected.get("rec.gains").numpy() > 0).astype(np.float64)


def _target_plays(collected: Any) -> Array:
    return np.asarray(collected.get("data.target_plays").numpy())
