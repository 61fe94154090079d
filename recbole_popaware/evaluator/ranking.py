"""Ranked lists as tensor functions."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_popaware.evaluator.best import best_values


def top_items(scores: Tensor, k: int) -> Tensor:
    """Find the k best items of each row, best first; equal scores go by item id, smaller ids ahead.

    ``torch.topk`` leaves the order of equal scores open, and which of them make it into the list.

    Args:
        scores: ``[B, n_items]``; -inf for items that are not to be recommended.
        k: Length of the lists, at most ``n_items``.

    Returns:
        ``[B, k]`` item ids; 0, the padding, behind the last item that may be recommended.
    """
    values, items = best_values(scores, min(k + 1, scores.size(1)))
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1)
    items = items[:, :k].clone()
    if tied.any():
        items[tied] = _break_ties(scores[tied], values[tied, k - 1 : k], k)
    return items.masked_fill_(values[:, :k].isneginf(), 0)


def _break_ties(scores: Tensor, least: Tensor, k: int) -> Tensor:
    """Do what :func:`top_items` does, given the k-th best score of each row ``[B, 1]``."""
    above, level = scores > least, scores == least
    room = k - above.sum(dim=1, keepdim=True)
    chosen = above | (level & (level.cumsum(dim=1, dtype=torch.int32) <= room))
    items = chosen.nonzero()[:, 1].view(len(scores), k)  # ascending ids
    order = torch.argsort(scores.gather(1, items), dim=1, descending=True, stable=True)
    return items.gather(1, order)


def ideal_gains(gains: Tensor, k: int) -> Tensor:
    """Gains of the best possible list: the k greatest of each row in descending order, filled up with 0."""
    best = gains.sort(dim=1, descending=True).values[:, :k]
    return torch.nn.functional.pad(best, (0, k - best.size(1)))
