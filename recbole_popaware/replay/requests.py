"""Moments to learn from: requests in the past, the plays that answer them, and what statistics may know then.

Weights are learned on plays *after* those that statistics (neighbours, popularity) were made of, as in use: a
model that learns on the plays it has counted trusts its counts too much. At every second border in time they
end some time before it: in use histories go on while statistics wait to be made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import ranges
from recbole_popaware.replay.moments import Moments

BORDERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # shares of the training plays before a border in time
LAGS = (0.0, 0.1)  # in turn: share of the training plays before a border that statistics miss
WIDTH = 0.125  # share of the training plays behind a border that are to be predicted
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)  # shares of each user's training plays
NETWORK_SHARES = (0.8, 0.85, 0.9, 0.95)  # with a network, which is trained on what is before the first
NEXT_WIDTH = 0.1
NEXT_PLAYS = 4  # of a user behind each share


class Requests(NamedTuple):
    """Moments of one border.

    Attributes:
        known: ``[P]`` which plays of the store statistics may know.
        moments: Q moments.
        targets: ``[T]`` the distinct ``moment * n_items + item`` that were played then, ascending.
    """

    known: Tensor
    moments: Moments
    targets: Tensor

    def sample(self, most: int, n_items: int, generator: torch.Generator) -> Requests:
        """Keep so many moments at most, drawn at random."""
        n = len(self.moments.users)
        if n <= most:
            return self
        kept = torch.randperm(n, generator=generator)[:most].sort().values
        row = torch.full((n,), -1).scatter_(0, kept, torch.arange(most))[self.targets // n_items]
        targets = (row * n_items + self.targets % n_items)[row >= 0]
        return self._replace(moments=self.moments.at(kept), targets=targets)


def at_borders(
    store: PlayHistory, trained: Tensor, n_items: int, shares: Sequence[float] = BORDERS
) -> list[Requests]:
    """Requests of all users at some borders in time; all their plays in a while after it answer them.

    Args:
        store: All plays, with times.
        trained: ``[P]`` which of them may be trained on.
        n_items: Size of the catalogue with the padding id 0.
        shares: Shares of the training plays before each border.
    """
    all_times = store.timed()
    times = all_times[trained].sort().values
    requests = []
    for share, lag in zip(shares, cycle(LAGS)):
        known_until, border, until = (
            float(times[min(int(x * len(times)), len(times) - 1)])
            for x in (share - lag, share, share + WIDTH)
        )
        ends = store.starts[:-1] + _per_user(store, all_times < border)
        last = ends + _per_user(store, (all_times >= border) & (all_times < until))
        users = torch.nonzero((ends > store.starts[:-1]) & (last > ends)).squeeze(1)
        rows, positions = ranges(ends[users], last[users])
        answers = trained[positions]
        targets = torch.unique((rows * n_items + store.items[positions])[answers])
        now = torch.full((len(users),), border, dtype=all_times.dtype)
        known = trained & (all_times < known_until)
        requests.append(Requests(known, Moments(users, ends[users], now), targets))
    return requests


def next_plays(
    store: PlayHistory,
    trained: Tensor,
    n_items: int,
    generator: torch.Generator,
    now_of_target: bool = False,
    shares: Sequence[float] = SHARES,
) -> list[Requests]:
    """Requests before some plays of each user, drawn at random behind a share of the user's plays.

    Args:
        store: As above.
        trained: As above.
        n_items: As above.
        generator: Random numbers.
        now_of_target: Whether the moment is that of the play to be predicted; otherwise of the one before.
        shares: Shares of each user's training plays before each border.
    """
    times = store.timed()
    users = torch.repeat_interleave(torch.arange(len(store.starts) - 1), store.starts.diff())
    index = torch.arange(len(users)) - store.starts[users]
    n_trained = _per_user(store, trained)[users]
    requests = []
    for share in shares:
        border, until = (n_trained * share).long(), (n_trained * (share + NEXT_WIDTH)).long() + 1
        behind = torch.nonzero(trained & (index >= border) & (index < until) & (index > 0)).squeeze(1)
        ends = _some_per_user(behind, users[behind], NEXT_PLAYS, generator)
        now = times[ends if now_of_target else ends - 1]
        targets = torch.arange(len(ends)) * n_items + store.items[ends]
        requests.append(Requests(trained & (index < border), Moments(users[ends], ends, now), targets))
    return requests


def _per_user(store: PlayHistory, chosen: Tensor) -> Tensor:
    """How many plays of a mask ``[P]`` each user has, ``[n_users]``."""
    sums = torch.cat([chosen.new_zeros(1, dtype=torch.int64), chosen.cumsum(0)])
    return sums[store.starts[1:]] - sums[store.starts[:-1]]


def _some_per_user(positions: Tensor, users: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Keep so many positions of each user at most, drawn at random."""
    shuffled = torch.randperm(len(positions), generator=generator)
    by_user = shuffled[torch.argsort(users[shuffled], stable=True)]
    rank = torch.arange(len(positions)) - torch.searchsorted(users, users[by_user])
    return positions[by_user[rank < most].sort().values]
