"""What everybody's plays say about each item: how often, by how many, since when, how much lately."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.replay.moments import HOUR

LATE = 0.9  # plays after so large a share of all are late ones
ITEM_FEATURES = 6


class CatalogueCounts(NamedTuple):
    """Counts over the plays that statistics may know.

    Attributes:
        plays: ``[n_items]`` plays of each item.
        listeners: ``[n_items]`` users who played it.
        late_plays: ``[n_items]`` its plays in the last tenth of all plays.
        late_listeners: ``[n_items]`` users whose first play of it is in that tenth.
        hours: ``[n_items]`` hours from its first play to the newest play of all; 0 if it has none.
        idle: ``[n_items]`` hours from its newest play to the newest play of all; 0 if it has none.
    """

    plays: Tensor
    listeners: Tensor
    late_plays: Tensor
    late_listeners: Tensor
    hours: Tensor
    idle: Tensor

    @classmethod
    def of(cls, users: Tensor, items: Tensor, times: Tensor, n_items: int) -> CatalogueCounts:
        """Count plays ``[P]`` by user and time; times are in seconds."""
        pairs, pair = torch.unique(users * n_items + items, return_inverse=True)
        listened = pairs % n_items
        begun = torch.full((len(pairs),), torch.inf, dtype=times.dtype).scatter_reduce(0, pair, times, "amin")
        end = times.max() if len(times) else times.new_zeros(())
        border = times.sort().values[int(LATE * len(times))] if len(times) else end
        played = torch.bincount(items, minlength=n_items) > 0
        first, last = (
            end.repeat(n_items).scatter_reduce(0, items, times, how, include_self=False)
            for how in ("amin", "amax")
        )
        return cls(
            torch.bincount(items, minlength=n_items),
            torch.bincount(listened, minlength=n_items),
            torch.bincount(items[times >= border], minlength=n_items),
            torch.bincount(listened[begun >= border], minlength=n_items),
            *(((end - time) / HOUR).where(played, 0.0).float() for time in (first, last)),
        )

    @property
    def features(self) -> Tensor:
        """Logarithms of all of them, ``[n_items, ITEM_FEATURES]``."""
        return torch.log1p(torch.stack([column.float() for column in self], 1))
