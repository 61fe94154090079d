"""Which items make a list: the weight of popularity and the share of new items, as tensor functions."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.options import ListRules


def weigh(network: Tensor, popularity: Tensor | None, weight: float) -> Tensor:
    """``network + weight * popularity``, a new tensor; without popularity a copy of the network's scores."""
    return network.clone() if popularity is None else torch.add(network, popularity, alpha=weight)


def choose(scores: Tensor, counts: ItemCounts, rules: ListRules) -> tuple[Tensor, Tensor]:
    """Choose the items of each row's list.

    Of all lists with enough new items it is the one of highest score: the best new items take the positions
    that are theirs, and the best of all others the rest. Where a user has played nearly everything, a list
    has fewer new items, or is shorter with ``exclude_history``.

    Args:
        scores: ``[B, n_items]``; overwritten. Item 0 (padding) is never chosen.
        counts: What the rows' users have played.
        rules: Length and kind of the lists.

    Returns:
        Items ``[B, topk]``, best first, equal scores by item id, and their scores ``[B, topk]``;
        positions that could not be filled come last with a score of minus infinity.
    """
    scores[:, 0] = -torch.inf
    if rules.exclude_history:
        scores[counts.rows, counts.items] = -torch.inf
    elif rules.explore_places:
        return _mixed(scores, counts, rules)
    items = top_items(scores, rules.topk)
    return items, scores.gather(1, items)


def _mixed(scores: Tensor, counts: ItemCounts, rules: ListRules) -> tuple[Tensor, Tensor]:
    known = counts.rows, counts.items
    own = scores[known]
    scores[known] = -torch.inf
    new = top_items(scores, rules.explore_places)
    new_scores = scores.gather(1, new)
    scores.scatter_(1, new, -torch.inf)
    scores[known] = own  # also where too few new items were left and `new` ran into these
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
