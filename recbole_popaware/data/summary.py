"""What is in a data set, in a few numbers for the log."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def summarize(per_user: Tensor, per_item: Tensor) -> dict[str, Any]:
    """Count plays in the words of RecBole's log.

    Differs from stock in that neither the padding nor an item that is never played counts. The sparsity is
    1 - plays / (users x items), as in ``NAME.stats.json``; where plays repeat it may lie below 0.

    Args:
        per_user: ``[n_users]`` plays of each user, one at least in all.
        per_item: ``[n_items]`` plays of each item.
    """
    n_users, n_items = (int(torch.count_nonzero(plays)) for plays in (per_user, per_item))
    n_plays = int(per_user.sum())
    return {
        "The number of users": n_users,
        "Average actions of users": n_plays / n_users,
        "The number of items": n_items,
        "Average actions of items": n_plays / n_items,
        "The number of inters": n_plays,
        "The sparsity of the dataset": f"{100 * (1 - n_plays / (n_users * n_items)):.4f}%",
    }
