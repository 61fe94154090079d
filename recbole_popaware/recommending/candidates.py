"""The few items that a list can be made of, out of one matrix of scores: exact, and in a fixed order.

A user never played nearly all of a catalogue, and a popularity head adds one constant to the scores of all
that: the order of those items is the network's. So a list is made of the network's best new items, and of the
best played ones, whose scores are known one by one. No second matrix is made. ``docs/glossary.md`` lists the
shape letters; here C is the number of candidates.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.evaluator.best import best_values
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.scorer import Sums

# New items beyond K that are looked at, so that a tie at the K-th score rarely asks for a full sort; where
# scores are rough, half as many as K more and some, so that what belongs into a list is among them.
_MORE, _MORE_OF_ROUGH = 8, 16


class Candidates(NamedTuple):
    """Items of each row, best first; equal scores by item id.

    Attributes:
        items: ``[B, C]``; 0 where there are no more.
        scores: ``[B, C]`` what ranks them; minus infinity where there are no more.
        new: ``[B, C]`` whether the row's user never played the item.
    """

    items: Tensor
    scores: Tensor
    new: Tensor


def best_new(sums: Sums, counts: ItemCounts, k: int) -> Candidates:
    """The k best items of each row that its user never played; arguments as in :func:`best_of_both`."""
    catalogue, played = sums.catalogue, (counts.rows, counts.items)
    kept, padding = catalogue[played], catalogue[:, 0].clone()
    catalogue[played] = -torch.inf
    catalogue[:, 0] = -torch.inf
    more = _MORE if sums.exact is None else k // 2 + _MORE_OF_ROUGH
    seen, seen_items = best_values(catalogue, min(k + more, catalogue.size(1)))
    if sums.exact is not None:
        seen = sums.exact.of(seen_items).where(seen > -torch.inf, -torch.inf)
    order = _order(seen := sums.complete(seen), seen_items)
    values, items = (column.gather(1, order)[:, :k] for column in (seen, seen_items))
    # Sums can be equal where what the catalogue says is not: with items that were not seen, too.
    unsure = (values[:, -1] == seen[:, -1]) & (seen[:, -1] > -torch.inf)
    if unsure.any():
        rows = unsure.nonzero().squeeze(1)
        whole = sums.complete(catalogue[rows], rows)
        ordered = top_items(whole, k)
        values[rows], items[rows] = whole.gather(1, ordered), ordered
    catalogue[:, 0] = padding
    catalogue[played] = kept
    items = items.masked_fill(values.isneginf(), 0)
    return Candidates(items, values, torch.ones_like(items, dtype=torch.bool))


def best_played(sums: Sums, counts: ItemCounts, k: int) -> Candidates:
    """The k best items of each row that its user has played; arguments as in :func:`best_of_both`."""
    rows, of_row = counts.rows, sums.played
    sizes = torch.bincount(rows, minlength=len(sums.catalogue))
    column = torch.arange(len(rows), device=rows.device) - (sizes.cumsum(0) - sizes)[rows] + 1
    shape = len(sizes), 1 + max(k, int(sizes.max()))  # column 0 is padding, as item 0 is
    padded = of_row.new_full(shape, -torch.inf).index_put_((rows, column), of_row)
    items = counts.items.new_zeros(shape).index_put_((rows, column), counts.items)
    top = top_items(padded, k)  # by column, which ascends with the item
    values = padded.gather(1, top)
    items = items.gather(1, top)
    return Candidates(items, values, torch.zeros_like(items, dtype=torch.bool))


def best_of_both(sums: Sums, counts: ItemCounts, k: int) -> Candidates:
    """The k best new items and the k best played ones of each row, ``C = 2 k``.

    Args:
        sums: The scores; as they were when this returns.
        counts: What the rows' users have played.
        k: At most ``n_items``.
    """
    new, played = best_new(sums, counts, k), best_played(sums, counts, k)
    items, values, is_new = (torch.cat(pair, dim=1) for pair in zip(new, played))
    order = _order(values, items)
    return Candidates(items.gather(1, order), values.gather(1, order), is_new.gather(1, order))


def _order(values: Tensor, items: Tensor) -> Tensor:
    """Columns of each row in the order of their values, equal ones by item id."""
    by_id = items.argsort(dim=1)
    return by_id.gather(1, values.gather(1, by_id).argsort(dim=1, descending=True, stable=True))
