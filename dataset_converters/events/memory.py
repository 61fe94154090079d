"""Events that fit into memory, as NumPy columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataset_converters.events.chunks import Chunk, Ints, Plays, code_texts, first_rows


class NamedLog:
    """A log whose users and items have names in memory."""

    def __init__(self) -> None:
        self._names: dict[str, pa.Table] = {}

    def names(self, kind: str) -> pa.Array:
        """Return the token of each user or item by its code."""
        column = self._names[kind].column("text").cast(pa.large_string())
        return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.large_string())

    def about(self, kind: str) -> pa.Table:
        """Return what the events say about each user or item; first column: its token."""
        table = self._names[kind]
        return table.rename_columns([f"{kind}_id", *table.column_names[1:]])


class MemoryLog(NamedLog):
    """The events of chunks under codes that all of them share.

    Codes count from 0 in the order in which the raw data first names the users and items.

    Args:
        chunks: All events in raw order, at least one chunk.

    Attributes:
        chunks: The same.
    """

    def __init__(self, chunks: list[Chunk]) -> None:
        super().__init__()
        self.chunks = chunks
        self._codes: dict[str, list[Ints]] = {}
        for kind in ("user", "item"):
            self._names[kind], self._codes[kind] = merge([chunk.texts[kind] for chunk in chunks])

    @property
    def rows(self) -> int:
        """Number of events."""
        return sum(len(chunk.plays) for chunk in self.chunks)

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
        for chunk, codes in zip(self.chunks, users):
            counts += np.bincount(codes[chunk.plays.user], minlength=len(counts))
        group_of_user = (np.cumsum(counts) - counts) // rows
        group_of_user = group_of_user.astype(np.min_scalar_type(group_of_user.max(initial=0)))
        groups = np.unique(group_of_user)
        rows_by_chunk = [
            rows_by_group(group_of_user[codes[chunk.plays.user]], groups)
            for chunk, codes in zip(self.chunks, users)
        ]
        for group in range(len(groups)):
            parts = [self._part(index, rows_of[group]) for index, rows_of in enumerate(rows_by_chunk)]
            columns = zip(*([getattr(part, name) for name in _COLUMNS] for part in parts))
            whole = Plays(*(np.concatenate(column) for column in columns))
            yield whole.take(np.arange(len(whole))[::-1]) if newest_first else whole

    def _part(self, index: int, rows: npt.NDArray[np.uint32]) -> Plays:
        """Return some events of a chunk under the codes of all chunks."""
        part = self.chunks[index].plays.take(rows)
        user, item = self._codes["user"][index][part.user], self._codes["item"][index][part.item]
        return Plays(user, item, part.time_us, part.rating)


def rows_by_group(marks: npt.NDArray[Any], groups: npt.NDArray[Any]) -> list[npt.NDArray[np.uint32]]:
    """Return the rows of each group, in raw order, from the group of each row; groups are rising."""
    order = np.argsort(marks, kind="stable").astype(np.uint32)
    ends = np.cumsum(np.bincount(marks, minlength=int(groups[-1]) + 1))[groups]
    return np.split(order, ends[:-1])


_COLUMNS = ("user", "item", "time_us", "rating")


def merge(tables: list[pa.Table]) -> tuple[pa.Table, list[Ints]]:
    """Return the first row of each text, and for each table the new code of each old one."""
    together = pa.concat_tables(tables)
    codes, texts = code_texts(together.column("text"))
    names = together.take(pa.array(first_rows(codes, len(texts))))
    ends = np.cumsum([table.num_rows for table in tables])[:-1]
    return names, np.split(codes, ends)
