"""Events that fit into memory, as NumPy columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataset_converters.events.chunks import Chunk, Ints, Plays, first_rows, number_texts


class MemoryLog:
    """The events of chunks under numbers that hold for all of them.

    Users and items count from 0 in the order in which the raw data first names them.

    Args:
        chunks: All events in raw order.
    """

    def __init__(self, chunks: list[Chunk]) -> None:
        self._plays = [chunk.plays for chunk in chunks]
        self._names: dict[str, pa.Table] = {}
        self._codes: dict[str, list[Ints]] = {}
        for kind in ("user", "item"):
            tables = [chunk.texts[kind] for chunk in chunks]
            self._names[kind], self._codes[kind] = _merge(tables)

    @property
    def rows(self) -> int:
        """Number of events."""
        return sum(map(len, self._plays))

    def names(self, kind: str) -> pa.Array:
        """Return the token of each user or item by its number."""
        column = self._names[kind].column("text").cast(pa.large_string())
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.large_string())

    def about(self, kind: str) -> pa.Table:
        """Return what the events say about each user or item; first column: its token."""
        table = self._names[kind]
        return table.rename_columns([f"{kind}_id", *table.column_names[1:]])

    def groups(self, newest_first: bool, rows: int) -> Iterator[Plays]:
        """Yield the events of some users after another, users in rising order, all of a user at once.

        Args:
            newest_first: Whether to turn the raw order round.
            rows: Size of a group, about.

        Yields:
            Events in raw order.
        """
        users = self._codes["user"]
        counts = np.zeros(len(self._names["user"]), np.int64)
        for plays, codes in zip(self._plays, users):
            counts += np.bincount(codes[plays.user], minlength=len(counts))
        group_of_user = (np.cumsum(counts) - counts) // rows
        group_of_user = group_of_user.astype(np.min_scalar_type(group_of_user.max(initial=0)))
        groups = np.unique(group_of_user)
        places = [
            _places(group_of_user[codes[plays.user]], groups) for plays, codes in zip(self._plays, users)
        ]
        for group in range(len(groups)):
            parts = [self._part(chunk, rows_of[group]) for chunk, rows_of in enumerate(places)]
            columns = zip(*([getattr(part, name) for name in _COLUMNS] for part in parts))
            whole = Plays(*(np.concatenate(column) for column in columns))
            yield whole.take(np.arange(len(whole))[::-1]) if newest_first else whole

    def _part(self, chunk: int, rows: npt.NDArray[np.uint32]) -> Plays:
        """Return some events of a chunk under the numbers of all chunks."""
        part = self._plays[chunk].take(rows)
        user, item = self._codes["user"][chunk][part.user], self._codes["item"][chunk][part.item]
        return Plays(user, item, part.time_us, part.rating)


def _places(marks: npt.NDArray[Any], groups: npt.NDArray[Any]) -> list[npt.NDArray[np.uint32]]:
    """Return the rows of each group, in raw order, from the group of each row."""
    order = np.argsort(marks, kind="stable").astype(np.uint32)
    ends = np.cumsum(np.bincount(marks, minlength=int(groups[-1]) + 1))[groups]
    return np.split(order, ends[:-1])


_COLUMNS = ("user", "item", "time_us", "rating")


def _merge(tables: list[pa.Table]) -> tuple[pa.Table, list[Ints]]:
    """Return the first row of each text, and for each table the new number of each old one."""
    together = pa.concat_tables(tables)
    codes, texts = number_texts(together.column("text"))
    names = together.take(pa.array(first_rows(codes, len(texts))))
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return names, np.split(codes, ends)
