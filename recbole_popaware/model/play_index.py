"""Find how often, and when, an item was played before a point in a history, by sorted search.

A *row* is one history: a window of a batch, or everything that a user ever played. Rows stand one after
the other in flat arrays, so that a play's *place* there says both its row and its time. A *query* asks about
one row up to a place: the window's end, or any position inside it when each position has a target.

Item ids run from 1 to ``n_items - 1``; padding (0), mask tokens and other ids never count.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SEARCHED_AT_ONCE = 1 << 18  # candidates in one search: keeps its temporary arrays within a few MB


class Queries(NamedTuple):
    """Points in histories.

    Attributes:
        rows: ``[T]`` row of each query.
        ends: ``[T]`` place before which plays count, at least one behind the row's start.
    """

    rows: Tensor
    ends: Tensor


class Hits(NamedTuple):
    """Where queries meet items that were played.

    Attributes:
        query: ``[E]`` number of the query.
        at: ``[E]`` flat index in what was asked for: ``[T, K]`` candidates or ``[T, n_items]`` items.
        first: ``[E]`` where the item's plays begin in :attr:`PlayIndex.places`.
        ends: ``[E]`` where those before the query end.
    """

    query: Tensor
    at: Tensor
    first: Tensor
    ends: Tensor

    @property
    def plays(self) -> Tensor:
        """How often the item was played before the query, ``[E]``, at least 1."""
        return self.ends - self.first


class PlayIndex(NamedTuple):
    """Plays in the order of row, item and time.

    Attributes:
        n_items: Size of the catalogue with the padding id 0.
        starts: ``[R + 1]`` first place of each row, then the number of places.
        pairs: ``[D]`` distinct ``row * n_items + item``, ascending.
        runs: ``[D + 1]`` where the plays of each pair begin in ``places``.
        places: ``[P]`` places of plays, ascending within a pair.
        keys: ``[P]`` number of the pair and place as one number, ascending.
        counted: ``[places + 1]`` plays before each place.
    """

    n_items: int
    starts: Tensor
    pairs: Tensor
    runs: Tensor
    places: Tensor
    keys: Tensor
    counted: Tensor

    @classmethod
    def build(cls, rows: Tensor, items: Tensor, starts: Tensor, n_items: int) -> PlayIndex:
        """Sort plays.

        Args:
            rows: ``[places]`` row of each place, ascending.
            items: ``[places]`` item there; ids outside the catalogue are no plays.
            starts: ``[R + 1]`` as the attribute.
            n_items: As the attribute.
        """
        in_catalogue = (items > 0) & (items < n_items)
        places = torch.nonzero(in_catalogue).squeeze(1)
        pairs, order = torch.sort(rows[places] * n_items + items[places], stable=True)
        pairs, number, sizes = torch.unique_consecutive(pairs, return_inverse=True, return_counts=True)
        places, counted = places[order], _from_zero(in_catalogue.cumsum(0))
        keys = number * len(counted) + places
        return cls(n_items, starts, pairs, _from_zero(sizes.cumsum(0)), places, keys, counted)

    @classmethod
    def of_windows(cls, windows: Tensor, n_items: int) -> PlayIndex:
        """Sort the plays of windows ``[B, L]``; row b begins at place ``b * L``."""
        n_rows, length = windows.shape
        starts = torch.arange(n_rows + 1, device=windows.device) * length
        rows = torch.arange(n_rows, device=windows.device).repeat_interleave(length)
        return cls.build(rows, windows.flatten(), starts, n_items)

    def at_ends(self) -> Queries:
        """One query a row, over all of it."""
        return Queries(torch.arange(len(self.starts) - 1, device=self.starts.device), self.starts[1:])

    def find(self, queries: Queries, candidates: Tensor) -> Hits:
        """Find which candidates ``[T, K]`` were played before their query."""
        step = max(SEARCHED_AT_ONCE // candidates.size(1), 1)
        found = [
            self._find(Queries(*(part[start : start + step] for part in queries)), candidates, start)
            for start in range(0, max(len(candidates), 1), step)
        ]
        return Hits(*map(torch.cat, zip(*found)))

    def everything(self, queries: Queries) -> Hits:
        """Find all items played before each query; ``at`` points into ``[T, n_items]``."""
        row_of_pair = self.pairs // self.n_items
        first_pair = torch.searchsorted(row_of_pair, queries.rows)
        n_pairs = torch.searchsorted(row_of_pair, queries.rows, right=True) - first_pair
        query = torch.repeat_interleave(torch.arange(len(n_pairs), device=n_pairs.device), n_pairs)
        before = n_pairs.cumsum(0) - n_pairs
        pair = torch.arange(len(query), device=query.device) + (first_pair - before)[query]
        begun = self.places[self.runs[pair]] < queries.ends[query]
        query, pair = query[begun], pair[begun]
        at = query * self.n_items + self.pairs[pair] % self.n_items
        return self._cut(queries, query, at, pair)

    def total(self, queries: Queries) -> Tensor:
        """Plays before each query, ``[T]``."""
        return self.counted[queries.ends] - self.counted[self.starts[queries.rows]]

    def most(self, queries: Queries) -> Tensor:
        """Plays of the item with most plays before each query, ``[T]``."""
        n_places = len(self.counted) - 1
        rank = torch.arange(len(self.places), device=self.places.device) + 1
        rank -= torch.repeat_interleave(self.runs[:-1], self.runs.diff())
        at_place = torch.zeros(n_places, dtype=torch.long, device=rank.device).scatter_(0, self.places, rank)
        row = torch.repeat_interleave(
            torch.arange(len(self.starts) - 1, device=rank.device), self.starts.diff()
        )
        lift = n_places + 1  # lifts each row above those before it, so that one running maximum serves all
        return (at_place + row * lift).cummax(0).values[queries.ends - 1] - queries.rows * lift

    def ages(self, queries: Queries, query: Tensor, plays: Tensor) -> Tensor:
        """Age of plays in plays, 1 for the newest before the query.

        Args:
            queries: The queries.
            query: ``[N]`` number of the query.
            plays: ``[N]`` index in ``places``.
        """
        return self.counted[queries.ends[query]] - self.counted[self.places[plays]]

    def _find(self, queries: Queries, candidates: Tensor, start: int) -> Hits:
        items = candidates[start : start + len(queries.rows)]
        if len(self.pairs) == 0:
            none = torch.empty(0, dtype=torch.long, device=items.device)
            return Hits(none, none, none, none)
        wanted = (queries.rows * self.n_items).unsqueeze(1) + items
        pair = torch.searchsorted(self.pairs, wanted, out_int32=True).clamp_(max=len(self.pairs) - 1)
        played = (self.pairs[pair] == wanted) & (items > 0) & (items < self.n_items)
        at = torch.nonzero(played.flatten()).squeeze(1)
        query, pair = at // items.size(1), pair.flatten()[at].long()
        begun = self.places[self.runs[pair]] < queries.ends[query]
        at, query, pair = at[begun], query[begun], pair[begun]
        hits = self._cut(queries, query, at, pair)
        return Hits(hits.query + start, hits.at + start * items.size(1), hits.first, hits.ends)

    def _cut(self, queries: Queries, query: Tensor, at: Tensor, pair: Tensor) -> Hits:
        """End each pair's run of plays where its query ends."""
        ends = torch.searchsorted(self.keys, pair * len(self.counted) + queries.ends[query])
        return Hits(query, at, self.runs[pair], ends)


def _from_zero(sums: Tensor) -> Tensor:
    return torch.cat([sums.new_zeros(1), sums])
