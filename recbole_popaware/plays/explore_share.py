"""How much of what a user plays is new to the user, estimated from the plays before a cutoff.

A play is *new* if it is its user's first play of that item. ``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.columns import blocks
from recbole_popaware.plays.history import PlayHistory

HALF_LIFE = 50  # plays after which a play counts half
_MOST_ITEMS = 1 << 31  # in a catalogue, so that keys of an item and a user fit into 64 bits
PRIOR_PLAYS = 10  # a user's own plays weigh as much as everybody's share once there are so many


class ExploreShares(NamedTuple):
    """Shares of new plays, of any user before any cutoff.

    The share is the mean of a beta distribution: that of everybody, counted as ``PRIOR_PLAYS`` plays, and
    the user's own plays, of which one of age a (1 for the newest) counts ``2^(-(a - 1) / HALF_LIFE)``.

    Attributes:
        history: All plays.
        new: ``[P]`` whether each of them is new.
        everybody: Everybody's share.
    """

    history: PlayHistory
    new: Tensor
    everybody: float

    @classmethod
    def of(cls, history: PlayHistory, everybody: float) -> ExploreShares:
        """Find the new plays of a store, given everybody's share."""
        new = torch.zeros(len(history.items), dtype=torch.bool)
        users, sizes = torch.arange(len(history.starts) - 1), history.starts.diff()
        for some in torch.split(users, blocks(sizes)):
            counts = history.counts(some, history.starts[some + 1], _MOST_ITEMS)
            new.index_fill_(0, counts.oldest, True)
        return cls(history, new, everybody)

    @classmethod
    def of_everybody(cls, history: PlayHistory, ends: Tensor | None = None) -> ExploreShares:
        """The same with the share that all users' plays have together.

        Args:
            history: All plays.
            ends: ``[n_users]`` where the plays of each user end that count; default: all count.
        """
        shares = cls.of(history, 0.0)
        users = torch.arange(len(history.starts) - 1)
        new, plays = shares._faded(users, history.starts[1:] if ends is None else ends)
        return shares._replace(everybody=float(new.sum() / plays.sum().clamp_min(1)))

    def at(self, users: Tensor, ends: Tensor) -> Tensor:
        """The share of each user ``[B]`` before a cutoff ``[B]``: ``[B]``, from 0 to 1."""
        new, plays = self._faded(users, ends)
        return (new + PRIOR_PLAYS * self.everybody) / (plays + PRIOR_PLAYS)

    def latest(self, users: Tensor) -> Tensor:
        """The share of each user ``[B]`` after all plays, ``[B]``."""
        return self.at(users, self.history.starts[users + 1])

    def _faded(self, users: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """New plays and all plays of each history, ``[B]`` each, older ones counting less."""
        some = blocks(ends - self.history.starts[users])
        parts = [
            self._faded_at_once(*both) for both in zip(torch.split(users, some), torch.split(ends, some))
        ]
        new, plays = zip(*parts) if parts else ((), ())
        nothing = torch.zeros(0)
        return torch.cat([nothing, *new]), torch.cat([nothing, *plays])

    def _faded_at_once(self, users: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        rows, positions = self.history.before(users, ends)
        weights = torch.exp2((positions + 1 - ends[rows]) / HALF_LIFE)
        nothing = torch.zeros(len(users))
        new = nothing.index_add(0, rows, weights * self.new[positions])
        return new, nothing.index_add(0, rows, weights)
