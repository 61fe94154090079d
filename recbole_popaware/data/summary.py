"""What is in a data set, in a few numbers for the log."""

from __future__ import annotations

from typing import Any

import numpy as np


def summarize(users: np.ndarray, items: np.ndarray) -> dict[str, Any]:
    """Count plays in the words of RecBole's log.

    Differs from stock in that neither the padding nor an item that is never played counts. The sparsity is
    1 - plays / (users x items), as in ``NAME.stats.json``; where plays repeat it may lie below 0.

    Args:
        users: ``[P]`` number of each play's user, P >= 1.
        items: ``[P]`` number of its item.
    """
    n_users, n_items = (int(np.count_nonzero(np.bincount(numbers))) for numbers in (users, items))
    return {
        "The number of users": n_users,
        "Average actions of users": len(users) / n_users,
        "The number of items": n_items,
        "Average actions of items": len(items) / n_items,
        "The number of inters": len(users),
        "The sparsity of the dataset": f"{100 * (1 - len(users) / (n_users * n_items)):.4f}%",
    }
