"""Lay windows over training histories so that every play is a target once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Tiles(NamedTuple):
    """Windows, by user and from the newest to the oldest.

    Attributes:
        users: ``[W]`` number of the user.
        ends: ``[W]`` place of each window's newest target; its inputs are the plays before.
        targets: ``[W]`` how many of the newest places have a target of their own; the places before them
            are context, whose targets belong to the next window.
    """

    users: Tensor
    ends: Tensor
    targets: Tensor


def lay_tiles(first: Tensor, last: Tensor, length: int, generator: torch.Generator | None = None) -> Tiles:
    """Cover the targets ``first[u]`` to ``last[u]`` of each user.

    A user with more than ``length`` targets has the newest window hold a random number of them, so that the
    other windows begin elsewhere each time; it is filled up with context. One window serves all others.

    Args:
        first: ``[U]`` place of the first target.
        last: ``[U]`` place of the last target, not before the first.
        length: L, the most targets of a window.
        generator: Source of the random numbers.
    """
    size = last - first + 1
    newest = 1 + torch.randint(length, size.shape, generator=generator)
    newest = torch.where(size > length, newest, size)
    older = (size - newest + length - 1) // length  # windows behind the newest one
    user = torch.repeat_interleave(torch.arange(len(size)), older + 1)
    before = (older + 1).cumsum(0) - (older + 1)
    number = torch.arange(len(user)) - before[user]
    ends = torch.where(number == 0, last[user], last[user] - newest[user] - (number - 1) * length)
    targets = torch.where(number == 0, newest[user], (ends - first[user] + 1).clamp(max=length))
    return Tiles(user, ends, targets)
