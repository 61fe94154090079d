"""Which items make a list: the weight of popularity and the share of new items, as tensor functions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import look_up_keys, row_keys
from recbole_popaware.recommending.options import ListRules


class Played(NamedTuple):
    """The distinct items of a batch of histories.

    Attributes:
        keys: ``[S]`` ``row * n_items + item``, ascending.
        plays: ``[S]`` how often the row's user played the item.
        n_items: Size of the catalogue with the padding id 0.
    """

    keys: Tensor
    plays: Tensor
    n_items: int

    @classmethod
    def of(cls, history: PlayHistory, users: Tensor, ends: Tensor, n_items: int) -> Played:
        """Count the whole histories of users ``[B]`` that end at ``[B]``."""
        rows, places = history.before(users, ends)
        keys, plays = torch.unique(rows * n_items + history.items[places], return_counts=True)
        return cls(keys, plays, n_items)

    @property
    def places(self) -> tuple[Tensor, Tensor]:
        """Row and item of each entry, as an index of scores ``[B, n_items]``."""
        return self.keys // self.n_items, self.keys % self.n_items

    def of_items(self, items: Tensor) -> Tensor:
        """Plays of the items ``[B, K]`` in their own rows, ``[B, K]``."""
        return look_up_keys(row_keys(items, self.n_items), self.keys, self.plays)

    def to(self, device: torch.device) -> Played:
        """The same on another device."""
        return Played(self.keys.to(device), self.plays.to(device), self.n_items)


def weigh(network: Tensor, popularity: Tensor | None, weight: float) -> Tensor:
    """``network + weight * popularity``, a new tensor; without popularity a copy of the network's scores."""
    return network.clone() if popularity is None else torch.add(network, popularity, alpha=weight)


def choose(scores: Tensor, played: Played, rules: ListRules) -> tuple[Tensor, Tensor]:
    """Choose the items of each row's list.

    Of all lists with enough new items it is the one of highest score: the best new items take the places
    that are theirs, and the best of all others the rest. Where a user has played nearly everything, a list
    has fewer new items, or is shorter with ``exclude_history``.

    Args:
        scores: ``[B, n_items]``; overwritten. Item 0 (padding) is never chosen.
        played: What the rows' users have played.
        rules: Length and kind of the lists.

    Returns:
        Items ``[B, topk]``, best first, equal scores by item id, and their scores ``[B, topk]``; places
        that could not be filled come last with a score of minus infinity.
    """
    scores[:, 0] = -torch.inf
    if rules.exclude_history:
        scores[played.places] = -torch.inf
    elif rules.explore_places:
        return _mixed(scores, played, rules)
    items = top_items(scores, rules.topk)
    return items, scores.gather(1, items)


def _mixed(scores: Tensor, played: Played, rules: ListRules) -> tuple[Tensor, Tensor]:
    own = scores[played.places]
    scores[played.places] = -torch.inf
    new = top_items(scores, rules.explore_places)
    new_scores = scores.gather(1, new)
    scores.scatter_(1, new, -torch.inf)
    scores[played.places] = own  # also where too few new items were left and `new` ran into these
    rest = top_items(scores, rules.topk)
    rest_scores = scores.gather(1, rest)
    room = rules.topk - (new_scores > -torch.inf).sum(dim=1, keepdim=True)
    beyond = torch.arange(rules.topk, device=scores.device) >= room
    rest_scores.masked_fill_(beyond, -torch.inf)
    return _best(torch.cat([new, rest], 1), torch.cat([new_scores, rest_scores], 1), rules.topk)


def _best(items: Tensor, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best of candidates ``[B, C]``, in the order of :func:`top_items`."""
    by_id = torch.argsort(items, dim=1, stable=True)
    items, scores = items.gather(1, by_id), scores.gather(1, by_id)
    best = torch.argsort(scores, dim=1, descending=True, stable=True)[:, :k]
    return items.gather(1, best), scores.gather(1, best)
