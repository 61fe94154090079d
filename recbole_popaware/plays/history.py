"""Every play of every user, stored once, from which any row's history or window can be cut."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.ragged import stretches


class PlayHistory(NamedTuple):
    """Positive plays of all users in flat arrays, by user and then by time.

    Attributes:
        items: ``[P]`` item of each play.
        recency: ``[P]`` rank of the play's time among its user's times, from 0; equal times, equal rank.
        starts: ``[n_users + 1]`` place of each user's first play; user u holds ``starts[u]:starts[u + 1]``.
        times: ``[P]`` time of each play in seconds, where a model asks for it (``pps_age: hours``).
    """

    items: Tensor
    recency: Tensor
    starts: Tensor
    times: Tensor | None = None

    def to(self, device: torch.device) -> PlayHistory:
        """The same store on another device."""
        times = None if self.times is None else self.times.to(device)
        return PlayHistory(self.items.to(device), self.recency.to(device), self.starts.to(device), times)

    @classmethod
    def from_sorted(
        cls, users: np.ndarray, items: np.ndarray, times: np.ndarray, n_users: int, keep_times: bool = False
    ) -> PlayHistory:
        """Build the store from arrays ``[P]`` that are sorted by user and then by time."""
        starts = np.searchsorted(users, np.arange(n_users + 1))
        new_user = np.diff(users, prepend=-1) != 0
        later = (np.diff(times, prepend=times[:1]) != 0) & ~new_user
        recency = np.cumsum(later)
        recency -= recency[starts[users]]
        return cls(
            torch.from_numpy(np.asarray(items, dtype=np.int64)),
            torch.from_numpy(recency.astype(np.int64, copy=False)),
            torch.from_numpy(starts.astype(np.int64, copy=False)),
            torch.from_numpy(times.astype(np.float64)) if keep_times else None,
        )

    def before(self, users: Tensor, ends: Tensor, length: int | None = None) -> tuple[Tensor, Tensor]:
        """Find the plays of each row's history.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` place in the flat arrays before which the history ends: the row's target, or the
                user's first play after a border (where the next user starts, if there is none).
            length: Keep only that many newest plays; ``None`` keeps all.

        Returns:
            Row number ``[T]`` and place in the flat arrays ``[T]`` of every play, by row and time.
        """
        first = self.starts[users]
        if length is not None:
            first = torch.maximum(first, ends - length)
        return stretches(first, ends)

    def window(self, users: Tensor, ends: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Find the newest plays of each row's history, in rows of equal length.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` as in :meth:`before`.
            length: L, the places of a window.

        Returns:
            Places in the flat arrays ``[B, L]``, oldest play first, and whether a play stands there
            ``[B, L]``; the places after a short history are no plays and point anywhere.
        """
        first = torch.maximum(self.starts[users], ends - length)
        places = first.unsqueeze(1) + torch.arange(length, device=first.device)
        inside = places < ends.unsqueeze(1)
        return places.clamp_(max=len(self.items) - 1), inside
