"""What is popular by time: plays of everybody that count less the older they are.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recbole_popaware.plays.columns import LazyColumn, blocks
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import ranges

DECAY = 0.9  # what is left of a play's weight after some hours (the benchmark of Yambda, arXiv 2505.22238)
WEEK = 168.0


def faded_by_hours(age: Tensor, hours: float) -> Tensor:
    """Weight of plays some seconds ago: 1 now, :data:`DECAY` after ``hours``; in float64."""
    return torch.exp(age.double() * (math.log(DECAY) / (3600 * hours)))


def faded_plays(history: PlayHistory, ends: Tensor, n_items: int, hours: float = WEEK) -> Tensor:
    """Sum the weights of the plays of each item, by their age before the newest one of all.

    Args:
        history: The plays; a block of users is read at a time.
        ends: ``[n_users]`` position behind each user's last play that counts.
        n_items: Size of the catalogue with the padding id 0.
        hours: After which a play counts :data:`DECAY`.

    Returns:
        ``[n_items]`` in float64; 0 for items without a play that counts.
    """
    begin, times = history.starts[:-1], history.recency
    sums, last = torch.zeros(n_items, dtype=torch.float64), ends[ends > begin] - 1
    if not len(last):
        return sums
    newest, sizes = _read(times, last).max(), blocks(ends - begin)
    for some_begin, some_ends in zip(torch.split(begin, sizes), torch.split(ends, sizes)):
        positions = ranges(some_begin, some_ends)[1]
        weights = faded_by_hours(newest - _read(times, positions), hours)
        sums.index_add_(0, history.items[positions], weights)
    return sums


def _read(column: Tensor | LazyColumn, positions: Tensor) -> Tensor:
    values: Tensor = column[positions]
    return values.double()
