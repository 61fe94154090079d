"""How often each item was played by everybody, and by how many."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class CatalogueCounts(NamedTuple):
    """Counts over the plays that statistics may know.

    Attributes:
        plays: ``[n_items]`` plays of each item.
        listeners: ``[n_items]`` users who played it.
    """

    plays: Tensor
    listeners: Tensor

    @classmethod
    def of(cls, users: Tensor, items: Tensor, n_items: int) -> CatalogueCounts:
        """Count plays ``[P]``."""
        listened = torch.unique(users * n_items + items) % n_items
        plays = torch.bincount(items, minlength=n_items)
        return cls(plays, torch.bincount(listened, minlength=n_items))
