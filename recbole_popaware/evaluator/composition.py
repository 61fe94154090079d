"""Ranked lists with a number of new items, those that the user never played, for recommending and evaluation.

``docs/glossary.md`` lists the shape letters; here S is the number of list lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts


class NewItems(NamedTuple):
    """How many items of a list are new, for lists of several lengths.

    Attributes:
        lengths: ``[S]`` the lengths, ascending.
        numbers: ``[B, S]`` new items of each list, or ``[1, S]`` for all users alike.
        exact: Whether there are no more than these; else there may be.
    """

    lengths: Tensor
    numbers: Tensor
    exact: bool

    @classmethod
    def at_least(cls, share: float, lengths: Sequence[int]) -> NewItems:
        """At least this share of every list, rounded up."""
        exact_share = Fraction(repr(float(share)))  # 0.7 of 10 items are 7, which floats miss
        numbers = [math.ceil(exact_share * length) for length in lengths]
        return cls(torch.tensor(lengths), torch.tensor([numbers]), exact=False)

    @classmethod
    def calibrated(cls, shares: Tensor, lengths: Sequence[int], factor: float = 1.0) -> NewItems:
        """Just these shares ``[B]`` of each user's lists; or at least ``factor`` < 1 times as much of them.

        Numbers are rounded half up. Below a user's own share, new items that the scores rank high are as
        welcome as any, and leaving them out costs more discoveries than it gains accuracy.
        """
        of_lengths = torch.tensor(lengths, device=shares.device)
        numbers = (factor * shares.double().unsqueeze(1) * of_lengths + 0.5).floor().long()
        return cls(of_lengths, numbers, exact=factor == 1)

    def to(self, device: torch.device) -> NewItems:
        """The same on another device."""
        return NewItems(self.lengths.to(device), self.numbers.to(device), self.exact)


def compose(scores: Tensor, counts: ItemCounts, wanted: NewItems) -> tuple[Tensor, Tensor]:
    """Rank items so that lists of all wanted lengths have their number of new items.

    The first k items, for each wanted length k, are the best new items, as many as are wanted, and the best
    played ones; where one kind has too few items, there are more of the other. They are in the order of their
    scores, so that new items which are there by their number alone come last: everything above them is
    better. What a longer list adds to a shorter one follows in that order, too.

    Args:
        scores: ``[B, n_items]``; overwritten. Item 0 (padding) is never ranked.
        counts: What the rows' users have played.
        wanted: Numbers of new items; the last of its lengths, K, is that of the result.

    Returns:
        Items ``[B, K]``, equal scores by item id, and their scores ``[B, K]``; positions that could not be
        filled come last with a score of minus infinity.
    """
    return arrange(*_candidates(scores, counts, int(wanted.lengths[-1])), wanted)


def arrange(items: Tensor, values: Tensor, new: Tensor, wanted: NewItems) -> tuple[Tensor, Tensor]:
    """Do what :func:`compose` does, given the K best new items and the K best played ones.

    Args:
        items: ``[B, 2 K]``, best first, equal scores by item id.
        values: ``[B, 2 K]`` their scores; minus infinity where there are no more.
        new: ``[B, 2 K]`` whether they are new.
        wanted: Numbers of new items.

    Returns:
        Items ``[B, K]`` and their scores ``[B, K]``.
    """
    lengths, numbers, exact = wanted.to(items.device)
    n_new, n_played, filled = new.cumsum(1), (~new).cumsum(1), values > -torch.inf
    if not exact:
        numbers = torch.maximum(numbers, n_new[:, lengths - 1])  # what the scores alone give
    numbers = torch.maximum(numbers, lengths - (filled & ~new).sum(1, keepdim=True))
    numbers = torch.minimum(numbers, (filled & new).sum(1, keepdim=True))
    # An item is in a list if it is among the best of its kind, so many as the list has of them.
    rank = torch.where(new, n_new, n_played).unsqueeze(2)
    of_its_kind = torch.where(new.unsqueeze(2), numbers.unsqueeze(1), (lengths - numbers).unsqueeze(1))
    enters = (rank > of_its_kind).sum(2).masked_fill_(~filled, len(lengths))  # index of the first such list
    order = enters.argsort(dim=1, stable=True)[:, : int(lengths[-1])]
    return items.gather(1, order), values.gather(1, order)


def _candidates(scores: Tensor, counts: ItemCounts, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k best new items and the k best played ones, best first.

    Returns:
        Items, their scores, and whether they are new, ``[B, 2 k]`` each.
    """
    known = counts.rows, counts.items
    own = scores[known]
    scores[:, 0] = -torch.inf
    scores[known] = -torch.inf
    new = top_items(scores, k)
    new_scores = scores.gather(1, new)
    scores.fill_(-torch.inf)
    scores[known] = own
    played = top_items(scores, k)
    items, values = torch.cat([new, played], 1), torch.cat([new_scores, scores.gather(1, played)], 1)
    by_id = items.argsort(dim=1, stable=True)
    order = by_id.gather(1, values.gather(1, by_id).argsort(dim=1, descending=True, stable=True))
    return items.gather(1, order), values.gather(1, order), order < k
