"""Find how often, and when, an item was played before a point in a history, by sorted search.

A *row* is one history: a window of a batch, or everything that a user ever played. Rows follow one another
in flat arrays, so that a play's *position* there says both its row and its time. A *query* asks about one row
up to a position: the window's end, or any position inside it when each position has a target.

Item ids run from 1 to ``n_items - 1``; padding (0), mask tokens and other ids never count.
``docs/glossary.md`` lists the shape letters; here P counts the positions of all rows, C the plays among them
and A the plays of some hits.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.plays.ragged import from_zero, ranges

SEARCHED_AT_ONCE = 1 << 18  # candidates in one search: keeps its temporary arrays within a few MB


class Queries(NamedTuple):
    """Points in histories.

    Attributes:
        rows: ``[T]`` row of each query.
        ends: ``[T]`` position before which plays count, at least one behind the row's start.
        begins: ``[T]`` position from which plays count; ``None``: from the row's start.
    """

    rows: Tensor
    ends: Tensor
    begins: Tensor | None = None

    def at(self, index: Tensor | slice) -> Queries:
        """Some of the queries."""
        begins = None if self.begins is None else self.begins[index]
        return Queries(self.rows[index], self.ends[index], begins)


class Hits(NamedTuple):
    """Pairs of a query and an item that was played before it.

    Attributes:
        query: ``[E]`` index of the query.
        at: ``[E]`` flat index in what was asked for: ``[T, K]`` candidates or ``[T, n_items]`` items.
        first: ``[E]`` index of the item's first play in :attr:`PlayIndex.positions`.
        ends: ``[E]`` index behind its last play before the query.
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
        starts: ``[R + 1]`` offset of each row, then P.
        pairs: ``[D]`` the distinct ``row * n_items + item``, ascending.
        offsets: ``[D + 1]`` where the plays of each pair begin in ``positions``.
        positions: ``[C]`` position of each play that counts, ascending within a pair.
        keys: ``[C]`` pair and position of each play as one number, ascending.
        n_before: ``[P + 1]`` plays before each position, in all rows.
        peaks: ``[P]`` plays of the row's most played item, up to and with each position.
        times: ``[P]`` time at each position in seconds, if ages in hours are asked for.
    """

    n_items: int
    starts: Tensor
    pairs: Tensor
    offsets: Tensor
    positions: Tensor
    keys: Tensor
    n_before: Tensor
    peaks: Tensor
    times: Tensor | None = None

    @classmethod
    def build(cls, rows: Tensor, items: Tensor, starts: Tensor, n_items: int) -> PlayIndex:
        """Sort plays.

        Args:
            rows: ``[P]`` row of each position, ascending.
            items: ``[P]`` item there; ids outside the catalogue are no plays.
            starts: ``[R + 1]`` as the attribute.
            n_items: As the attribute.
        """
        in_catalogue = (items > 0) & (items < n_items)
        positions = torch.nonzero(in_catalogue).squeeze(1)
        pairs, order = torch.sort(rows[positions] * n_items + items[positions], stable=True)
        pairs, pair, sizes = torch.unique_consecutive(pairs, return_inverse=True, return_counts=True)
        positions, n_before = positions[order], from_zero(in_catalogue.cumsum(0))
        keys = pair * len(n_before) + positions
        offsets = from_zero(sizes.cumsum(0))
        rank = torch.arange(len(positions), device=positions.device) - offsets[pair] + 1
        # A lift that grows from row to row lets one running maximum serve all rows.
        lift = rows * (len(rows) + 1)
        peaks = lift.scatter_add(0, positions, rank).cummax(0).values - lift
        return cls(n_items, starts, pairs, offsets, positions, keys, n_before, peaks)

    @classmethod
    def of_windows(cls, windows: Tensor, n_items: int) -> PlayIndex:
        """Sort the plays of windows ``[B, L]``; row b begins at position ``b * L``."""
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
        pieces = []
        for start in range(0, max(n, 1), step):
            rows, items = queries.rows[start : start + step], candidates[start : start + step]
            number, column, pair = self._search(rows, items)
            pieces.append((number + start, (number + start) * width + column, pair))
        return self._cut(queries, *map(torch.cat, zip(*pieces)))

    def find_by_row(self, queries: Queries, candidates: Tensor) -> Hits:
        """Find the same for candidates ``[R, K]`` that all queries of a row share, with a search a row."""
        rows = torch.arange(len(candidates), device=candidates.device)
        number, column, pair = self._search(rows, candidates)
        query, match = _join(queries.rows, number)
        return self._cut(queries, query, query * candidates.size(1) + column[match], pair[match])

    def everything(self, queries: Queries) -> Hits:
        """Find all items played before each query; hits among ``[T, n_items]``."""
        query, pair = _join(queries.rows, self.pairs // self.n_items)
        return self._cut(queries, query, query * self.n_items + self.pairs[pair] % self.n_items, pair)

    def item_of(self, hits: Hits) -> Tensor:
        """Item of each hit, ``[E]``."""
        return self.pairs[self.keys[hits.first] // len(self.n_before)] % self.n_items

    def _search(self, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Index of the row, column and pair of those items ``[R, K]`` that their row ``[R]`` has plays of."""
        if len(self.pairs) == 0:
            none = rows[:0]
            return none, none, none
        wanted = (rows * self.n_items).unsqueeze(1) + items
        pair = torch.searchsorted(self.pairs, wanted, out_int32=True).clamp_(max=len(self.pairs) - 1)
        at = torch.nonzero((self.pairs[pair] == wanted).flatten()).squeeze(1)
        matched = items.flatten()[at]
        at = at[(matched > 0) & (matched < self.n_items)]  # other ids look like items of the next row
        return at // items.size(1), at % items.size(1), pair.flatten()[at].long()

    def _cut(self, queries: Queries, query: Tensor, at: Tensor, pair: Tensor) -> Hits:
        """Keep of each pair's plays those that count for its query."""
        width, ends, begins = len(self.n_before), queries.ends[query], queries.begins
        first = self.offsets[pair]
        if begins is not None:
            first = torch.searchsorted(self.keys, pair * width + begins[query])
        last = torch.searchsorted(self.keys, pair * width + ends)
        played = torch.nonzero(last > first).squeeze(1)
        return Hits(query[played], at[played], first[played], last[played])

    def total(self, queries: Queries) -> Tensor:
        """Plays that count for each query, ``[T]``."""
        begins = self.starts[queries.rows] if queries.begins is None else queries.begins
        return self.n_before[queries.ends] - self.n_before[begins]

    def most(self, queries: Queries) -> Tensor:
        """Plays of the item with most plays in the row before each query, ``[T]``."""
        return self.peaks[queries.ends - 1]

    def ages(self, queries: Queries, hits: Hits) -> tuple[Tensor, Tensor]:
        """Age of every play of the hits.

        Returns:
            Index of the hit ``[A]`` and age ``[A]`` of each play: in plays, 1 for the query's newest; or,
            where times are known, in hours before that newest play, plus 1.
        """
        hit, index = ranges(hits.first, hits.ends)
        positions, ends = self.positions[index], queries.ends[hits.query[hit]]
        if self.times is None:
            return hit, self.n_before[ends] - self.n_before[positions]
        return hit, 1 + (self.times[ends - 1] - self.times[positions]) / 3600


def _join(rows: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
    """Pair the index of each of ``rows`` ``[T]`` with every index where ascending ``of`` has the same row."""
    first = torch.searchsorted(of, rows)
    return ranges(first, torch.searchsorted(of, rows, right=True))
