"""Which items are in a list: the weight of popularity and the share of new items, as tensor functions."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_popaware.evaluator.composition import NewItems, compose
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.options import ListRules


def weigh(network: Tensor, popularity: Tensor | None, weight: float) -> Tensor:
    """``network + weight * popularity``, a new tensor; without popularity a copy of the network's scores."""
    return network.clone() if popularity is None else torch.add(network, popularity, alpha=weight)


def choose(
    scores: Tensor, counts: ItemCounts, rules: ListRules, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Choose the items of each row's list.

    Of all lists with the wanted new items it is the one of highest score. Where a user has played nearly
    everything, a list has fewer new items, or is shorter with ``exclude_history``.

    Args:
        scores: ``[B, n_items]``; overwritten. Item 0 (padding) is never chosen.
        counts: What the rows' users have played.
        rules: Length and kind of the lists.
        shares: ``[B]`` each user's own share of new items, which ``calibrated`` lists have.

    Returns:
        Items ``[B, topk]``, best first, equal scores by item id, and their scores ``[B, topk]``;
        positions that could not be filled come last with a score of minus infinity.
    """
    if rules.calibrated and shares is not None:
        return compose(scores, counts, NewItems.calibrated(shares, [rules.topk], rules.calibrated))
    if rules.explore_share and not rules.exclude_history:
        return compose(scores, counts, NewItems.at_least(rules.explore_share, [rules.topk]))
    scores[:, 0] = -torch.inf
    if rules.exclude_history:
        scores[counts.rows, counts.items] = -torch.inf
    items = top_items(scores, rules.topk)
    return items, scores.gather(1, items)
