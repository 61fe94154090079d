"""Every play of every user, stored once, from which any row's history or window can be cut.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.columns import LazyColumn
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.plays.ragged import ranges


class PlayHistory(NamedTuple):
    """Positive plays of all users in flat arrays, by user and then by time.

    Attributes:
        items: ``[P]`` item of each play.
        recency: ``[P]`` time of each play, which says what of a user's plays came later than what.
        starts: ``[n_users + 1]`` offset of each user's first play; user u has ``starts[u]:starts[u + 1]``.
        times: ``[P]`` time of each play in seconds, where a model asks for it (``pps_age: hours``).

    Columns of plays may lie in a file; all that is read of them is tensors.
    """

    items: Tensor | LazyColumn
    recency: Tensor | LazyColumn
    starts: Tensor
    times: Tensor | LazyColumn | None = None

    def to(self, device: torch.device) -> PlayHistory:
        """The same store on another device."""
        if device.type == "cpu" and self.starts.device.type == "cpu":
            return self
        times = None if self.times is None else self.times.to(device)
        return PlayHistory(self.items.to(device), self.recency.to(device), self.starts.to(device), times)

    @classmethod
    def from_sorted(
        cls, users: np.ndarray, items: np.ndarray, times: np.ndarray, n_users: int, keep_times: bool = False
    ) -> PlayHistory:
        """Build the store from arrays ``[P]`` that are sorted by user and then by time."""
        starts = np.searchsorted(users, np.arange(n_users + 1))
        moments = torch.from_numpy(times.astype(np.float64))
        return cls(
            torch.from_numpy(np.asarray(items, dtype=np.int64)),
            moments,
            torch.from_numpy(starts.astype(np.int64, copy=False)),
            moments if keep_times else None,
        )

    def before(self, users: Tensor, ends: Tensor, length: int | None = None) -> tuple[Tensor, Tensor]:
        """Find the plays of each row's history.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` position before which the history ends: the row's target, or the user's first play
                after a border (where the next user's plays begin, if there is none).
            length: Keep only that many newest plays; ``None`` keeps all.

        Returns:
            Row ``[E]`` and position ``[E]`` of every play, by row and time.
        """
        first = self.starts[users]
        if length is not None:
            first = torch.maximum(first, ends - length)
        return ranges(first, ends)

    def timed(self) -> Tensor:
        """Times of all plays, ``[P]``.

        Raises:
            ValueError: If the store was made without them.
        """
        if self.times is None:
            raise ValueError("the times of plays are needed, but the store keeps none")
        return cast("Tensor", self.times)  # a lazy column is read alike

    def window(self, users: Tensor, ends: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Find the newest plays of each row's history, in rows of equal length.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` as in :meth:`before`.
            length: L, the length of a window.

        Returns:
            Positions ``[B, L]``, oldest play first, and which of them are plays ``[B, L]``; those behind a
            short history are not, and may be any.
        """
        first = torch.maximum(self.starts[users], ends - length)
        positions = first.unsqueeze(1) + torch.arange(length, device=first.device)
        inside = positions < ends.unsqueeze(1)
        return positions.clamp_(max=len(self.items) - 1), inside

    def counts(
        self,
        users: Tensor,
        ends: Tensor,
        n_items: int,
        length: int | None = None,
        device: torch.device | None = None,
    ) -> ItemCounts:
        """Count how often each row's history has each item.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` as in :meth:`before`.
            n_items: Size of the catalogue with the padding id 0.
            length: Count only that many newest plays; ``None`` counts all.
            device: Where to count; ``None``: where the store is.
        """
        rows, positions = self.before(users, ends, length)
        keys = rows * n_items + self.items[positions]
        return ItemCounts.of(keys.to(device), positions.to(device), n_items)
