"""The popularity head as its formulas read, over dense tensors: slow, short, and what the fast one equals.

With ``c_j`` the plays of item j, ``n`` their sum, ``eps`` > 0 and N items in the catalogue (arXiv 2409.04329,
section 3):

* softmax form: ``y_j = ln((c_j + eps) / max_z(c_z + eps))``
* sigmoid form: ``p_j = (c_j + eps) / (n + eps * N)``, ``y_j = ln(p_j / (1 - p_j))``

A memory that fades (:mod:`~.recency_head`) counts a play ``((age + c) / (1 + c)) ** -d`` times: ``c_j`` and
``n`` become ``s_j`` and the sum of all ``s_j``, but for the maximum. Age is 1 for the newest play.
"""

from __future__ import annotations

import torch
from torch import Tensor


def head_scores(counts: Tensor, strengths: Tensor, form: str, epsilon: float) -> Tensor:
    """Scores ``y`` from counts ``c`` and strengths ``s``, which are the counts if nothing fades.

    All are ``[B, L, n_items]``; index 0 is the padding id, scored as an item that was never played.
    """
    if form == "softmax":
        return torch.log((strengths + epsilon) / (counts.amax(-1, keepdim=True) + epsilon))
    n, n_catalogue = strengths.sum(-1, keepdim=True), strengths.size(-1) - 1
    p = (strengths + epsilon) / (n + epsilon * n_catalogue)
    return torch.log(p) - torch.log1p(-p)


def count_plays(windows: Tensor, n_items: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Count ``c``, plays of each item up to and with each position of windows ``[B, L]``."""
    return _one_hot(windows, n_items, dtype).cumsum(1)


def weigh_plays(windows: Tensor, n_items: int, decay: float, offset: float = 0.0) -> Tensor:
    """Sum the weights ``s`` of each item's plays up to and with each position of windows ``[B, L]``."""
    plays = _one_hot(windows, n_items, torch.float64)
    n = plays.sum(-1).cumsum(1)  # [B, L] plays up to and with each position
    ages = n.unsqueeze(2) - n.unsqueeze(1) + 1  # [B, L, L] of the last index, seen from the one before
    weights = ((ages.clamp(min=1) + offset) / (1 + offset)) ** -decay
    return weights.tril() @ plays


def _one_hot(windows: Tensor, n_items: int, dtype: torch.dtype) -> Tensor:
    """Plays ``[B, L, n_items]``; ids from 1 to ``n_items - 1`` are plays, all others are none."""
    items = windows.where((windows > 0) & (windows < n_items), 0).unsqueeze(2)
    plays = windows.new_zeros(*windows.shape, n_items, dtype=dtype).scatter_(2, items, 1.0)
    plays[..., 0] = 0
    return plays
