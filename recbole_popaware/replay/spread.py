"""Spreading: what a history gives to items that go together with its own, also to those never played.

Each of several sums goes over a history: ``x_j = sum over items i of w_i C_ij``, with ``w_i`` from the ages
of i's plays and ``C`` neighbours by listeners, neighbours in order, or what items share (artist, album).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.replay.item_counts import CatalogueCounts
from recbole_popaware.replay.moments import Records
from recbole_popaware.replay.neighbours import Neighbours, by_listeners, by_order
from recbole_popaware.replay.record import faded_count

POPULARITY_POWER = 0.1  # an item of an artist gets more if it is popular
FADE = (1.3, 20.0)  # d and c of the flat weights


def _fading(records: Records) -> Tensor:
    return records.total(1 / records.ages)


def _recent(records: Records) -> Tensor:
    return records.total(torch.where(records.ages <= 5, 1 / records.ages, 0.0))


def _session(records: Records) -> Tensor:
    return records.total(torch.where(records.ages <= 20, 1 / records.ages, 0.0))


def _flat(records: Records) -> Tensor:
    return faded_count(records, *FADE).sqrt()


def _even(records: Records) -> Tensor:
    return torch.ones_like(records.keys, dtype=torch.float32)


Weighing = Callable[[Records], Tensor]
BY_LISTENERS: tuple[Weighing, ...] = (_fading, _flat, _even)
BY_ORDER: tuple[Weighing, ...] = (_fading, _recent, _flat)
IN_GROUP: tuple[Weighing, ...] = (_fading, _session, _flat)
NEXT_GROUP: tuple[Weighing, ...] = (_session, _flat)


class Groups(NamedTuple):
    """What items share in one field, such as their artist.

    Attributes:
        of_item: ``[n_items, G]`` groups of each item; 0 is none.
        order: Groups that follow each other in everybody's plays.
    """

    of_item: Tensor
    order: Neighbours

    @property
    def n_groups(self) -> int:
        """Number of groups with the 0 of none."""
        return len(self.order.items)

    @classmethod
    def of(cls, of_item: Tensor, users: Tensor, items: Tensor, k: int) -> Groups:
        """Count which groups follow, from plays ``[P]`` by user and time; an item's first group counts."""
        first = of_item[items, 0]
        return cls(of_item, by_order(users, first, int(of_item.max()) + 1, k))


class Together(NamedTuple):
    """What goes together in the catalogue, from the plays that statistics may know.

    Attributes:
        counts: Plays of everybody.
        listeners: Neighbours by shared listeners.
        order: Neighbours in order.
        groups: What items share.
    """

    counts: CatalogueCounts
    listeners: Neighbours
    order: Neighbours
    groups: tuple[Groups, ...] = ()

    @classmethod
    def of(
        cls,
        users: Tensor,
        items: Tensor,
        times: Tensor,
        n_items: int,
        k: int,
        fields: tuple[Tensor, ...] = (),
    ) -> Together:
        """Count, from plays ``[P]`` by user and time; ``fields`` are groups ``[n_items, G]`` of items."""
        return cls(
            CatalogueCounts.of(users, items, times, n_items),
            by_listeners(users, items, n_items, k),
            by_order(users, items, n_items, k),
            tuple(Groups.of(field, users, items, k) for field in fields),
        )

    @property
    def n_sums(self) -> int:
        """How many sums :func:`spread` makes."""
        return len(BY_LISTENERS) + len(BY_ORDER) + (len(IN_GROUP) + len(NEXT_GROUP)) * len(self.groups)


def spread(records: Records, together: Together) -> Tensor:
    """All sums over the whole catalogue, ``[S, Q, n_items]``; what an item gives to itself is left out."""
    shape = (together.n_sums, len(records.starts), records.n_items)
    sums = torch.zeros(shape, device=records.keys.device)
    columns = iter(sums)
    for weighings, neighbours in ((BY_LISTENERS, together.listeners), (BY_ORDER, together.order)):
        for weigh in weighings:
            chosen = torch.nonzero(weights := weigh(records)).squeeze(1)
            spread_to_(
                next(columns), records.rows[chosen], records.items[chosen], weights[chosen], neighbours
            )
    popular = (1 + together.counts.plays.float()) ** POPULARITY_POWER
    for groups in together.groups:
        for weigh in IN_GROUP:
            weights = weigh(records)
            column = next(columns)
            column += _of_items(_by_group(records, weights, groups), groups)
            own = weights * (groups.of_item[records.items] > 0).sum(1)
            column.view(-1).index_add_(0, records.keys, -own)
            column.clamp_(min=0).mul_(popular)
        for weigh in NEXT_GROUP:
            given = _by_group(records, weigh(records), groups)
            rows, group = torch.nonzero(given, as_tuple=True)
            reached = spread_to_(torch.zeros_like(given), rows, group, given[rows, group], groups.order)
            column = next(columns)
            column += _of_items(reached, groups)
            column.mul_(popular)
    return sums


def spread_to_(sums: Tensor, rows: Tensor, items: Tensor, weights: Tensor, neighbours: Neighbours) -> Tensor:
    """Add to ``sums`` ``[Q, n_items]`` what items ``[A]`` of rows ``[A]`` give to their neighbours."""
    reached, values = neighbours.reached(items, weights)
    at = rows.unsqueeze(1) * sums.size(1) + reached
    sums.view(-1).index_add_(0, at.flatten(), values.flatten())
    sums[:, 0] = 0
    return sums


def _by_group(records: Records, weights: Tensor, groups: Groups) -> Tensor:
    """Sum of the weights of each group's items, ``[Q, n_groups]``; nothing for the 0 of none."""
    sums = weights.new_zeros(len(records.starts), groups.n_groups)
    member = groups.of_item[records.items]
    at = records.rows.unsqueeze(1) * groups.n_groups + member
    sums.view(-1).index_add_(0, at.flatten(), weights.unsqueeze(1).expand_as(member).flatten())
    sums[:, 0] = 0
    return sums


def _of_items(of_groups: Tensor, groups: Groups) -> Tensor:
    """What each item gets from its groups: ``[Q, n_items]`` of ``[Q, n_groups]``."""
    first, *others = (of_groups[:, column] for column in groups.of_item.T)
    return sum(others, start=first)
