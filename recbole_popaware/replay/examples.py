"""Examples to learn from: features of moments in the past, computed once.

All items that were played before a moment are candidates, and of the others those that get most from the
history: weights learned on them order the top of a list, where weights learned on the whole catalogue would
be those that explain its tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import from_zero, ranges
from recbole_popaware.replay.features import Fade, Features, features_at, played_mask
from recbole_popaware.replay.moments import moved
from recbole_popaware.replay.requests import Requests
from recbole_popaware.replay.spread import Together

NEAREST = 600  # candidates that were not played
_SUMS_AT_ONCE = 1 << 25


class Played(NamedTuple):
    """Features of D pairs of a moment and an item that was played before it.

    Attributes:
        items: ``[D]``.
        faded: ``[D]``
        known: ``[D]``
        record: ``[D, F]``
        order: ``[D, F]``
        spread: ``[D, S]``
        hit: ``[D]`` 1 for a target, 0 for others.
    """

    items: Tensor
    faded: Tensor
    known: Tensor
    record: Tensor
    order: Tensor
    spread: Tensor
    hit: Tensor


class New(NamedTuple):
    """C candidates of each moment that were not played before it.

    Attributes:
        items: ``[Q, C]``.
        sums: ``[Q, C, S]`` what each gets from the history.
        catalogue: ``[Q, C, I]`` what everybody's plays say about each.
        there: ``[Q, C]`` False where there are fewer candidates.
        hit: ``[Q, C]`` 1 for a target, 0 for others.
    """

    items: Tensor
    sums: Tensor
    catalogue: Tensor
    there: Tensor
    hit: Tensor


class Examples(NamedTuple):
    """Features of Q moments.

    Attributes:
        users: ``[Q]`` user of each.
        ends: ``[Q]`` position before which plays are known.
        user: ``[Q, U]`` habits.
        starts: ``[Q + 1]`` where the pairs of each moment begin.
        played: Their features.
        new: Candidates that were not played.
    """

    users: Tensor
    ends: Tensor
    user: Tensor
    starts: Tensor
    played: Played
    new: New

    @property
    def rows(self) -> Tensor:
        """Moment of each pair, ``[D]``."""
        return torch.repeat_interleave(self.starts.diff())

    def to(self, device: torch.device) -> Examples:
        """The same on another device."""
        there: Examples = moved(self, device)
        return there

    def at(self, index: Tensor) -> Examples:
        """Some of the moments."""
        _, pairs = ranges(self.starts[index], self.starts[index + 1])
        starts = from_zero(self.starts.diff()[index].cumsum(0))
        played = Played(*(column[pairs] for column in self.played))
        new = New(*(column[index] for column in self.new))
        return Examples(self.users[index], self.ends[index], self.user[index], starts, played, new)


def make_examples(
    requests: Requests,
    store: PlayHistory,
    together: Together,
    fade: Fade,
    n_items: int,
) -> Examples:
    """Compute the features of the moments of one border.

    Args:
        requests: The moments.
        store: All plays, with times.
        together: Statistics of what is known at the border.
        fade: How counts fade.
        n_items: Size of the catalogue with the padding id 0.
    """
    size = max(1, min(256, _SUMS_AT_ONCE // (n_items * max(together.n_sums, 1))))
    pieces = []
    for index in _pieces(len(requests.moments.users), size):
        features = features_at(requests.moments.at(index), store, together, fade, n_items)
        first, last = index.start * n_items, index.stop * n_items
        inside = slice(*torch.searchsorted(requests.targets, torch.tensor([first, last])).tolist())
        pieces.append(_examples(features, requests.targets[inside] - first, together))
    return concatenate(pieces)


def concatenate(examples: list[Examples]) -> Examples:
    """All moments of several."""
    starts = from_zero(torch.cat([piece.starts.diff() for piece in examples]).cumsum(0))
    played = Played(*(torch.cat(columns) for columns in zip(*(piece.played for piece in examples))))
    new = New(*(torch.cat(columns) for columns in zip(*(piece.new for piece in examples))))
    users, ends, user = (
        torch.cat(columns) for columns in zip(*((piece.users, piece.ends, piece.user) for piece in examples))
    )
    return Examples(users, ends, user, starts, played, new)


def _pieces(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _examples(features: Features, targets: Tensor, together: Together) -> Examples:
    records = features.records
    hit = torch.isin(records.keys, targets).float()
    played = Played(
        records.items,
        features.faded,
        features.known,
        features.record,
        features.order,
        features.spread,
        hit,
    )
    starts = from_zero(torch.bincount(records.rows, minlength=len(records.starts)).cumsum(0))
    new = _nearest_new(features, targets, together)
    return Examples(records.moments.users, records.moments.ends, features.user, starts, played, new)


def _nearest_new(features: Features, targets: Tensor, together: Together) -> New:
    """Choose the candidates that were not played: those that get most, each sum over its greatest value."""
    n_items, sums = features.records.n_items, features.sums
    strength = torch.zeros_like(sums[0])
    for one in sums:
        strength += one / one.amax(1, keepdim=True).clamp(min=1e-12)
    strength.masked_fill_(played_mask(features.records), -1.0)
    best, items = strength.topk(min(NEAREST, n_items - 1), dim=1)
    rows = torch.arange(len(items)).unsqueeze(1)
    there = best >= 0
    hit = torch.isin(rows * n_items + items, targets) & there
    reached = sums[:, rows, items].permute(1, 2, 0)
    return New(items, reached, together.counts.features[items], there, hit.float())
