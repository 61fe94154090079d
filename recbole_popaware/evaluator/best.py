"""The best items of each row of a large matrix of scores, found by the maxima of blocks of items."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 64  # items; with these the search through the maxima costs about as much as making them


def best_values(scores: Tensor, m: int, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """Find the m greatest values of each row, as ``torch.topk`` does, with one pass over the matrix.

    The m greatest values lie in the m blocks of greatest maxima: an item above the m-th value is in a block
    whose maximum is above it, and there are fewer than m of those.

    Args:
        scores: ``[B, n_items]``.
        m: How many, at most ``n_items``.
        block: Items of a block.

    Returns:
        Values ``[B, m]``, greatest first, not-a-numbers before all, and their items ``[B, m]``; which of the
        items that share the m-th value are among them, and their order, is open.
    """
    n_rows, n_items = scores.shape
    n_blocks = n_items // block
    if n_blocks <= 4 * m:  # too few blocks to spare anything
        values, items = scores.topk(m, dim=1)
        return values, items
    whole = n_blocks * block
    maxima = scores[:, :whole].view(n_rows, n_blocks, block).amax(dim=2)
    chosen = maxima.topk(m, dim=1, sorted=False).indices
    within = torch.arange(block, device=scores.device)
    candidates = (chosen.unsqueeze(2) * block + within).flatten(1)
    rest = torch.arange(whole, n_items, device=scores.device).expand(n_rows, -1)
    candidates = torch.cat([candidates, rest], dim=1)
    values, index = scores.gather(1, candidates).topk(m, dim=1)
    return values, candidates.gather(1, index)
