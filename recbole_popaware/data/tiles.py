"""Choose windows of training histories: all of them, or one a user."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Tiles(NamedTuple):
    """Windows, by user and from the newest to the oldest.

    Attributes:
        users: ``[W]`` number of the user.
        ends: ``[W]`` position of each window's newest target; its inputs are the plays before.
        lasts: ``[W]`` position of the user's last target.
        targets: ``[W]`` how many of the newest inputs have a target of their own; the inputs before them
            are context, whose targets belong to the next window.
    """

    users: Tensor
    ends: Tensor
    lasts: Tensor
    targets: Tensor


def lay_tiles(first: Tensor, last: Tensor, length: int, generator: torch.Generator | None = None) -> Tiles:
    """Cover the targets ``first[u]`` to ``last[u]`` of each user.

    Of a user with more than ``length`` targets the newest window has a random number of them, so that the
    other windows begin elsewhere each time; it is filled up with context. Other users have one window.

    Args:
        first: ``[U]`` position of the first target.
        last: ``[U]`` position of the last target, not before the first.
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
    return Tiles(user, ends, last[user], targets)


def draw_tiles(first: Tensor, last: Tensor, length: int, generator: torch.Generator | None = None) -> Tiles:
    """Draw one window of each user, as the published program of arXiv 2409.04329 does.

    A user with more than ``length`` targets gets a window that is full and ends anywhere; so all users weigh
    alike in training, however much they play.

    Args:
        first: ``[U]`` position of the first target.
        last: ``[U]`` position of the last target, not before the first.
        length: L, the most targets of a window.
        generator: Source of the random numbers.
    """
    choices = (last - first + 1 - length).clamp(min=0) + 1
    back = (torch.rand(last.shape, generator=generator, dtype=torch.float64) * choices).long()
    ends = last - back
    targets = (ends - first + 1).clamp(max=length)
    return Tiles(torch.arange(len(last)), ends, last, targets)
