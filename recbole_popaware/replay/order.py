"""Order memory: what followed earlier plays of the items that a listener played last.

If the newest play is of item a, every earlier play of a in the same history votes for what was played after
it, ``1 / (1 + distance)`` for the play at some distance, as far as ``reach`` plays. It is what an induction
head of a Transformer computes, and what prediction by partial matching counts. Several such memories differ
in the item they match (the last, or one of the last few), their reach, and how many items before it must
match as well.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.ragged import ranges
from recbole_popaware.replay.moments import Records

MOST_MATCHES = 200  # newest earlier plays of an item that vote


class Matching(NamedTuple):
    """Which earlier plays vote.

    Attributes:
        lag: The item is that of the ``lag``-th newest play; votes start ``lag`` plays behind a match.
        reach: So many plays get votes.
        suffix: How many plays before must match too.
    """

    lag: int = 1
    reach: int = 5
    suffix: int = 0


MEMORIES = (
    *(Matching(reach=5), Matching(reach=20), Matching(reach=1), Matching(2), Matching(3), Matching(5, 10)),
    *(Matching(suffix=1), Matching(reach=3, suffix=2)),
)
ORDER_FEATURES = 3 * len(MEMORIES)
_SMOOTHING = 0.05


def order_features(records: Records, items: Tensor) -> Tensor:
    """Features of each pair, ``[D, F]``: the votes, the votes a match, and the number of matches.

    Args:
        records: The records.
        items: ``[P]`` items of all plays in the store.
    """
    columns = []
    for matching in MEMORIES:
        votes, matches = recall(records, items, matching)
        n = matches[records.rows]
        columns += [(votes + _SMOOTHING).log(), (votes / (n + 1) + _SMOOTHING / 5).log(), torch.log1p(n)]
    return torch.stack(columns, 1)


def recall(records: Records, items: Tensor, matching: Matching) -> tuple[Tensor, Tensor]:
    """Count votes.

    Returns:
        Votes of each pair ``[D]`` and number of matches of each moment ``[Q]``.
    """
    ends = records.moments.ends
    rows, matches = _matches(records, items, matching)
    first = matches + matching.lag
    index, positions = ranges(first, torch.minimum(first + matching.reach, ends[rows]))
    distance = (positions - first[index] + 1).float()
    rows_of_votes = rows[index]
    votes = records.sum_at(rows_of_votes * records.n_items + items[positions], 1 / (1 + distance))
    return votes, torch.bincount(rows, minlength=len(ends)).float()


def _matches(records: Records, items: Tensor, matching: Matching) -> tuple[Tensor, Tensor]:
    """Moment ``[A]`` and position ``[A]`` of each earlier play that votes."""
    ends, starts = records.moments.ends, records.starts
    asked = torch.nonzero(ends - matching.lag >= starts).squeeze(1)
    begin, end = records.find(asked, items[ends[asked] - matching.lag])
    # The plays that are matched, the newest of which is the one at the lag itself or a later one.
    index, at = ranges(torch.maximum(begin, end - MOST_MATCHES), end)
    rows, positions = asked[index], records.positions[at]
    keep = positions < ends[rows] - matching.lag
    for back in range(1, matching.suffix + 1):
        here, there = positions - back, ends[rows] - matching.lag - back
        inside = (here >= starts[rows]) & (there >= starts[rows])
        keep &= inside & (items[here.clamp(min=0)] == items[there.clamp(min=0)])
    return rows[keep], positions[keep]
