"""Measures for data in which users play items again: formulas as functions, and RecBole's classes for them.

H are the items in the user's whole history before the cut, T the targets with a gain above 0, R the list
of the first k recommendations. All functions take and give arrays ``[users, K]`` whose column k - 1
belongs to the list of length k.

Every class in this module is registered with RecBole's evaluator under its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recbole_popaware.evaluator.base import UserMeasure

Array = np.ndarray


def graded_ndcg(gains: Array, ideal: Array) -> Array:
    """NDCG with linear gains and discount ``1 / log2(position + 1)``.

    Args:
        gains: ``[users, K]`` gain of each recommended item, 0 for what is no target.
        ideal: ``[users, K]`` the user's gains in descending order, filled up with 0.

    Returns:
        ``[users, K]``; ``nan`` for users without a gain to be had.
    """
    discount = 1 / np.log2(np.arange(2, gains.shape[1] + 2))
    possible = np.cumsum(ideal * discount, axis=1)
    return _divide(np.cumsum(gains * discount, axis=1), possible)


def recall(hits: Array, n_targets: Array) -> Array:
    """Share of the targets that are recommended.

    Args:
        hits: ``[users, K]`` whether each recommended item is a target.
        n_targets: ``[users]`` how many targets there are.

    Returns:
        ``[users, K]``; ``nan`` for users without a target.
    """
    n_hits = np.cumsum(hits, axis=1, dtype=np.float64)
    return _divide(n_hits, np.broadcast_to(n_targets[:, None], n_hits.shape))


def share(flags: Array) -> Array:
    """Share of the list for which a flag ``[users, K]`` is set."""
    return np.cumsum(flags, axis=1) / np.arange(1, flags.shape[1] + 1)


def personal_novelty(plays: Array, total: Array, epsilon: float, n_items: int) -> Array:
    """Mean over the list of ``-log2 p`` with ``p = (c + eps) / (n + eps * N)``.

    Args:
        plays: ``[users, K]`` how often the user played each recommended item.
        total: ``[users]`` all plays of the user.
        epsilon: Smoothing, > 0.
        n_items: Size N of the catalogue without padding.
    """
    probability = (plays + epsilon) / (total[:, None] + epsilon * n_items)
    return share(-np.log2(probability))


def _divide(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


class GradedNDCG(UserMeasure):
    """NDCG over graded targets."""

    metric_need = ("rec.gains", "data.ideal")

    def per_user(self, collected: Any) -> Array:
        """See :func:`graded_ndcg`."""
        return graded_ndcg(_get(collected, "rec.gains"), _get(collected, "data.ideal"))


class RepeatNDCG(UserMeasure):
    """NDCG where only targets in the history count; undefined for users without one."""

    metric_need = ("rec.gains", "rec.plays", "data.ideal_repeat")

    def per_user(self, collected: Any) -> Array:
        """See :func:`graded_ndcg`."""
        gains = _get(collected, "rec.gains") * (_get(collected, "rec.plays") > 0)
        return graded_ndcg(gains, _get(collected, "data.ideal_repeat"))


class ExploreNDCG(UserMeasure):
    """NDCG where only targets outside the history count; undefined for users without one."""

    metric_need = ("rec.gains", "rec.plays", "data.ideal_explore")

    def per_user(self, collected: Any) -> Array:
        """See :func:`graded_ndcg`."""
        gains = _get(collected, "rec.gains") * (_get(collected, "rec.plays") == 0)
        return graded_ndcg(gains, _get(collected, "data.ideal_explore"))


class RepeatRecall(UserMeasure):
    """``|R & T & H| / |T & H|``; undefined for users without a repeat target."""

    metric_need = ("rec.gains", "rec.plays", "data.repeat_targets")

    def per_user(self, collected: Any) -> Array:
        """See :func:`recall`."""
        hits = (_get(collected, "rec.gains") > 0) & (_get(collected, "rec.plays") > 0)
        return recall(hits, _get(collected, "data.repeat_targets"))


class ExploreRecall(UserMeasure):
    """``|(R & T) - H| / |T - H|``; undefined for users without an explore target."""

    metric_need = ("rec.gains", "rec.plays", "data.targets", "data.repeat_targets")

    def per_user(self, collected: Any) -> Array:
        """See :func:`recall`."""
        hits = (_get(collected, "rec.gains") > 0) & (_get(collected, "rec.plays") == 0)
        return recall(hits, _get(collected, "data.targets") - _get(collected, "data.repeat_targets"))


class RepeatShare(UserMeasure):
    """``|R & H| / k``: how much of the list the user knows."""

    metric_need = ("rec.plays",)

    def per_user(self, collected: Any) -> Array:
        """See :func:`share`."""
        return share(_get(collected, "rec.plays") > 0)


class RepeatBias(UserMeasure):
    """RepeatShare minus ``|T & H| / |T|``: above 0, the lists repeat more than the user does."""

    metric_need = ("rec.plays", "data.targets", "data.repeat_targets")

    def per_user(self, collected: Any) -> Array:
        """See :func:`share`."""
        repeated = _divide(_get(collected, "data.repeat_targets"), _get(collected, "data.targets"))
        return share(_get(collected, "rec.plays") > 0) - repeated[:, None]


class PersonalNovelty(UserMeasure):
    """How surprising the list is for someone who knows the user's play counts, in bits an item."""

    metric_need = ("rec.plays", "data.history_plays", "data.num_items")

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.epsilon: float = config["novelty_epsilon"]

    def per_user(self, collected: Any) -> Array:
        """See :func:`personal_novelty`."""
        n_items = collected.get("data.num_items") - 1
        return personal_novelty(
            _get(collected, "rec.plays"), _get(collected, "data.history_plays"), self.epsilon, n_items
        )


def _get(collected: Any, name: str) -> Array:
    return collected.get(name).numpy().astype(np.float64)
