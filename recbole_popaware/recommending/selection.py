"""Which items are in a list: the share of new items, as a tensor function."""

from __future__ import annotations

from torch import Tensor

from recbole_popaware.evaluator.composition import NewItems, arrange
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.candidates import best_new, best_of_both
from recbole_popaware.recommending.options import ListRules
from recbole_popaware.recommending.scorer import Sums


def choose(
    sums: Sums, counts: ItemCounts, rules: ListRules, shares: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Choose the items of each row's list.

    Of all lists with the wanted new items it is the one of highest score. Where a user has played nearly
    everything, a list has fewer new items, or is shorter with ``exclude_history``.

    Args:
        sums: What ranks the items, as it was when this returns. Item 0 (padding) is never chosen.
        counts: What the rows' users have played.
        rules: Length and kind of the lists.
        shares: ``[B]`` each user's own share of new items, which ``calibrated`` lists have.

    Returns:
        Items ``[B, topk]``, best first, equal scores by item id, and their scores ``[B, topk]``;
        positions that could not be filled come last with a score of minus infinity.
    """
    if rules.exclude_history:
        items, scores, _ = best_new(sums, counts, rules.topk)
        return items, scores
    items, scores, new = best_of_both(sums, counts, rules.topk)
    if rules.calibrated and shares is not None:
        return arrange(items, scores, new, NewItems.calibrated(shares, [rules.topk], rules.calibrated))
    if rules.explore_share:
        return arrange(items, scores, new, NewItems.at_least(rules.explore_share, [rules.topk]))
    return items[:, : rules.topk], scores[:, : rules.topk]
