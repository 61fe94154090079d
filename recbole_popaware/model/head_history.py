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
        lengths: ``[B]`` positions in use.
        users: ``[B]`` user of each.
        ends: ``[B]`` index in the history store after the window's last play.
    """

    items: Tensor
    lengths: Tensor
    users: Tensor
    ends: Tensor


class HeadHistory(NamedTuple):
    """Plays to count, and where the windows lie in them.

    Attributes:
        plays: The plays; row b is that of window b.
        first: ``[B]`` index of each window's first play among the plays.
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
        """Count the plays in the windows and what the users played before.

        Args:
            windows: The windows, with users and ends.
            n_items: Size of the catalogue with the padding id 0.
            store: Every play of every user.
            limit: Count only that many of the newest plays.
        """
        length = windows.items.size(1)
        store = store.to(windows.items.device)
        reach = None if limit is None else limit + length
        rows, index = store.before(windows.users, windows.ends, reach)
        sizes = torch.bincount(rows, minlength=len(windows.lengths))
        starts = from_zero(sizes.cumsum(0))
        first = starts[1:] - windows.lengths
        positions = torch.arange(length, device=first.device)
        inside = positions < windows.lengths.unsqueeze(1)
        items = store.items[index]
        # What the network may not see is no play: it is a mask in the windows.
        items[(first.unsqueeze(1) + positions)[inside]] = windows.items[inside]
        plays = PlayIndex.build(rows, items, starts, n_items)
        if store.times is not None:
            plays = plays._replace(times=store.times[index])
        return cls(plays, first, limit)

    def before(self, rows: Tensor, positions: Tensor) -> Queries:
        """Queries before positions of the windows.

        Args:
            rows: ``[T]`` windows.
            positions: ``[T]`` positions from 0: the plays at smaller ones count.
        """
        ends = self.first[rows] + positions
        if self.limit is None:
            return Queries(rows, ends)
        return Queries(rows, ends, torch.maximum(self.plays.starts[rows], ends - self.limit))
