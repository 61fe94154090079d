"""Every play of every user, stored once, from which any row's whole history can be read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class PlayHistory(NamedTuple):
    """Plays of all users in flat arrays, by user and then by time.

    Attributes:
        items: ``[P]`` item of each play.
        recency: ``[P]`` rank of the play's time among its user's times, from 0; equal times, equal rank.
        starts: ``[n_users + 1]`` place of each user's first play; user u holds ``starts[u]:starts[u + 1]``.
    """

    items: Tensor
    recency: Tensor
    starts: Tensor

    @classmethod
    def from_sorted(
        cls, users: np.ndarray, items: np.ndarray, times: np.ndarray, n_users: int
    ) -> PlayHistory:
        """Build the store from arrays ``[P]`` that are sorted by user and then by time."""
        starts = np.searchsorted(users, np.arange(n_users + 1))
        new_user = np.diff(users, prepend=-1) != 0
        later = (np.diff(times, prepend=times[:1]) != 0) & ~new_user
        steps = np.cumsum(later)
        recency = steps - steps[starts[users]]
        return cls(
            torch.from_numpy(np.array(items, dtype=np.int64)),
            torch.from_numpy(recency.astype(np.int64)),
            torch.from_numpy(starts.astype(np.int64)),
        )

    def before(self, users: Tensor, ends: Tensor, length: int | None = None) -> tuple[Tensor, Tensor]:
        """Find the plays of each row's history.

        Args:
            users: ``[B]`` user of each row.
            ends: ``[B]`` place of each row's target in the flat arrays; the history ends before it.
            length: Keep only that many newest plays; ``None`` keeps all.

        Returns:
            Row number ``[T]`` and place in the flat arrays ``[T]`` of every play, by row and time.
        """
        first = self.starts[users]
        if length is not None:
            first = torch.maximum(first, ends - length)
        lengths = ends - first
        rows = torch.repeat_interleave(torch.arange(len(users), device=users.device), lengths)
        before_row = lengths.cumsum(0) - lengths
        places = torch.arange(len(rows), device=users.device) - before_row[rows] + first[rows]
        return rows, places
