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

from recbole_popaware.plays.ragged import stretches

SEARCHED_AT_ONCE = 1 << 18  # candidates in one search: keeps its temporary arrays within a few MB


class Queries(NamedTuple):
    """Points in histories.

    Attributes:
        rows: ``[T]`` row of each query.
        ends: ``[T]`` place before which plays count, at least one behind the row's start.
        begins: ``[T]`` place from which plays count; ``None``: from the row's start.
    """

    rows: Tensor
    ends: Tensor
    begins: Tensor | None = None

    def at(self, index: Tensor | slice) -> Queries:
        """Some of the queries."""
        begins = None if self.begins is None else self.begins[index]
        return Queries(self.rows[index], self.ends[index], begins)


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
        peaks: ``[places]`` plays of the row's most played item, up to and with each place.
        times: ``[places]`` time of each place in seconds, if ages in hours are asked for.
    """

    n_items: int
    starts: Tensor
    pairs: Tensor
    runs: Tensor
    places: Tensor
    keys: Tensor
    counted: Tensor
    peaks: Tensor
    times: Tensor | None = None

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
        runs = _from_zero(sizes.cumsum(0))
        rank = torch.arange(len(places), device=places.device) - runs[number] + 1
        # A lift that grows from row to row lets one running maximum serve all rows.
        lift = rows * (len(rows) + 1)
        peaks = lift.scatter_add(0, places, rank).cummax(0).values - lift
        return cls(n_items, starts, pairs, runs, places, keys, counted, peaks)

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
        """Find which candidates were played before their query.

        Args:
            queries: T points in histories.
            candidates: ``[T, K]`` items of each query.

        Returns:
            Hits among ``[T, K]`` candidates.
        """
        n, width = candidates.shape
        step = max(SEARCHED_AT_ONCE // width, 1)
        found = []
        for start in range(0, max(n, 1), step):
            rows, items = queries.rows[start : start + step], candidates[start : start + step]
            number, column, pair = self._search(rows, items)
            found.append((number + start, (number + start) * width + column, pair))
        return self._cut(queries, *map(torch.cat, zip(*found)))

    def find_by_row(self, queries: Queries, candidates: Tensor) -> Hits:
        """Find the same for candidates ``[R, K]`` that all queries of a row share, with a search a row."""
        rows = torch.arange(len(candidates), device=candidates.device)
        number, column, pair = self._search(rows, candidates)
        query, hit = _join(queries.rows, number)
        return self._cut(queries, query, query * candidates.size(1) + column[hit], pair[hit])

    def everything(self, queries: Queries) -> Hits:
        """Find all items played before each query; hits among ``[T, n_items]``."""
        query, pair = _join(queries.rows, self.pairs // self.n_items)
        return self._cut(queries, query, query * self.n_items + self.pairs[pair] % self.n_items, pair)

    def _search(self, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row number, column and pair of those items ``[R, K]`` that their row ``[R]`` has plays of."""
        if len(self.pairs) == 0:
            none = rows[:0]
            return none, none, none
        wanted = (rows * self.n_items).unsqueeze(1) + items
        pair = torch.searchsorted(self.pairs, wanted, out_int32=True).clamp_(max=len(self.pairs) - 1)
        at = torch.nonzero((self.pairs[pair] == wanted).flatten()).squeeze(1)
        found = items.flatten()[at]
        at = at[(found > 0) & (found < self.n_items)]  # other ids look like items of the next row
        return at // items.size(1), at % items.size(1), pair.flatten()[at].long()

    def _cut(self, queries: Queries, query: Tensor, at: Tensor, pair: Tensor) -> Hits:
        """Keep of each pair's plays those that count for its query."""
        n_places, ends, begins = len(self.counted), queries.ends[query], queries.begins
        first = self.runs[pair]
        if begins is not None:
            first = torch.searchsorted(self.keys, pair * n_places + begins[query])
        last = torch.searchsorted(self.keys, pair * n_places + ends)
        played = torch.nonzero(last > first).squeeze(1)
        return Hits(query[played], at[played], first[played], last[played])

    def total(self, queries: Queries) -> Tensor:
        """Plays that count for each query, ``[T]``."""
        begins = self.starts[queries.rows] if queries.begins is None else queries.begins
        return self.counted[queries.ends] - self.counted[begins]

    def most(self, queries: Queries) -> Tensor:
        """Plays of the item with most plays in the row before each query, ``[T]``."""
        return self.peaks[queries.ends - 1]

    def ages(self, queries: Queries, hits: Hits) -> tuple[Tensor, Tensor]:
        """Age of every play of the hits.

        Returns:
            Number of the hit ``[N]`` and age ``[N]``: in plays, 1 for the query's newest; or, where times
            are known, in hours before that newest play, plus 1.
        """
        hit, play = stretches(hits.first, hits.ends)
        places, ends = self.places[play], queries.ends[hits.query[hit]]
        if self.times is None:
            return hit, self.counted[ends] - self.counted[places]
        return hit, 1 + (self.times[ends - 1] - self.times[places]) / 3600


def _join(rows: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
    """Pair each of ``rows`` ``[T]`` with every place of ascending ``of`` that holds the same row."""
    first = torch.searchsorted(of, rows)
    return stretches(first, torch.searchsorted(of, rows, right=True))


def _from_zero(sums: Tensor) -> Tensor:
    return torch.cat([sums.new_zeros(1), sums])
