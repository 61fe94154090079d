"""The plays that a head counts: those of the windows in a batch, or the users' whole histories.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.play_index import PlayIndex, Queries
from recbole_popaware.plays.ragged import from_zero


class Windows(NamedTuple):
    """What the network sees of some users.

    Attributes:
        items: ``[B, L]`` the windows; padding and masks are ids outside the catalogue.
        lengths: ``[B]`` how many of their positions are in use.
        users: ``[B]`` whose they are.
        ends: ``[B]`` position in the history store behind the window's last play.
    """

    items: Tensor
    lengths: Tensor
    users: Tensor
    ends: Tensor


class HeadHistory(NamedTuple):
    """Plays to count, and where the windows lie in them.

    Attributes:
        plays: The plays; row b is that of window b.
        first: ``[B]`` position of each window's first play.
        limit: How many of the newest plays count, if not all.
    """

    plays: PlayIndex
    first: Tensor
    limit: int | None = None

    @classmethod
    def of_windows(cls, items: Tensor, n_items: int) -> HeadHistory:
        """Count the plays in windows ``[B, L]``."""
        plays = PlayIndex.of_windows(items, n_items)
        return cls(plays, plays.starts[:-1])

    @classmethod
    def of_store(
        cls, windows: Windows, n_items: int, store: PlayHistory, limit: int | None = None
    ) -> HeadHistory:
        """Count the plays in the windows and those before them.

        Args:
            windows: The windows, with users and ends.
            n_items: Size of the catalogue with the padding id 0.
            store: Every play of every user.
            limit: Count only that many of the newest plays.
        """
        length = windows.items.size(1)
        store = store.to(windows.items.device)
        reach = None if limit is None else limit + length
        rows, positions = store.before(windows.users, windows.ends, reach)
        sizes = torch.bincount(rows, minlength=len(windows.lengths))
        starts = from_zero(sizes.cumsum(0))
        first = starts[1:] - windows.lengths
        inside = torch.arange(length, device=first.device) < windows.lengths.unsqueeze(1)
        items = store.items[positions]
        at = first.unsqueeze(1) + torch.arange(length, device=first.device)
        items[at[inside]] = windows.items[inside]  # a masked item is no play
        plays = PlayIndex.build(rows, items, starts, n_items)
        if store.times is not None:
            plays = plays._replace(times=store.times[positions])
        return cls(plays, first, limit)

    def before(self, rows: Tensor, lengths: Tensor) -> Queries:
        """Queries inside the windows.

        Args:
            rows: ``[T]`` windows.
            lengths: ``[T]`` how many of the window's oldest positions count.
        """
        ends = self.first[rows] + lengths
        if self.limit is None:
            return Queries(rows, ends)
        return Queries(rows, ends, torch.maximum(self.plays.starts[rows], ends - self.limit))
