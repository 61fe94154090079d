"""The measures of repeated listening as functions of NumPy arrays, without RecBole's configuration.

They compute what the evaluation does, by the same code. All arrays have one row a user, U of them, and K
columns, one a position of the recommended lists, best first. All results are ``[U, K]``: column k - 1 is the
measure of the first k items, and ``nan`` where it is undefined for the user. docs/evaluation.md has the
formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from recbole_popaware.evaluator import metrics

Array = np.ndarray


def graded_ndcg(gains: ArrayLike, ideal: ArrayLike) -> Array:
    """NDCG with graded gains and the discount ``1 / log2(position + 1)``.

    Args:
        gains: ``[U, K]`` gain of each recommended item, 0 for what is no target.
        ideal: ``[U, K]`` the gains of the user's targets in descending order, filled up with 0.

    Returns:
        ``[U, K]``; undefined for users without a target.
    """
    return metrics.graded_ndcg(_numbers(gains), _numbers(ideal))


def repeat_recall(hits: ArrayLike, plays: ArrayLike, repeat_targets: ArrayLike) -> Array:
    """Share of a user's repeat targets (played before) that are recommended.

    Args:
        hits: ``[U, K]`` whether each recommended item is a target; gains will do.
        plays: ``[U, K]`` how often the user had played each recommended item.
        repeat_targets: ``[U]`` how many of the user's targets had been played before.

    Returns:
        ``[U, K]``; undefined for users without a repeat target.
    """
    return metrics.recall((_numbers(hits) > 0) & (_numbers(plays) > 0), _numbers(repeat_targets))


def explore_recall(hits: ArrayLike, plays: ArrayLike, explore_targets: ArrayLike) -> Array:
    """Share of a user's explore targets (never played before) that are recommended.

    Args:
        hits: ``[U, K]`` whether each recommended item is a target; gains will do.
        plays: ``[U, K]`` how often the user had played each recommended item.
        explore_targets: ``[U]`` how many of the user's targets had never been played before.

    Returns:
        ``[U, K]``; undefined for users without an explore target.
    """
    return metrics.recall((_numbers(hits) > 0) & (_numbers(plays) == 0), _numbers(explore_targets))


def repeat_bias(plays: ArrayLike, targets: ArrayLike, repeat_targets: ArrayLike) -> Array:
    """Share of repeats in the lists minus their share in the targets; above 0, the lists repeat more.

    Args:
        plays: ``[U, K]`` how often the user had played each recommended item.
        targets: ``[U]`` number of the user's targets.
        repeat_targets: ``[U]`` how many of them had been played before.

    Returns:
        ``[U, K]``; undefined for users without a target.
    """
    share_of_targets = metrics.recall(_numbers(repeat_targets)[:, None], _numbers(targets))
    return metrics.share(_numbers(plays) > 0) - share_of_targets


def _numbers(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)
