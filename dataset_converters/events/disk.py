"""Events on disk: selecting, and ordering more than fits into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from dataset_converters.events.chunks import Chunk, Plays

# A chunk's texts are numbered in order of appearance, after those of the chunks before; a text that
# several chunks hold has several such numbers, of which the least says where it came first.
_CODES = """
    CREATE TABLE {kind}s AS
        SELECT CAST(row_number() OVER (ORDER BY min(number)) - 1 AS INTEGER) AS code,
            "text", min(number) AS number
        FROM {kind}_texts GROUP BY "text";
    CREATE TABLE {kind}_codes AS
        SELECT {kind}_texts.number, code FROM {kind}_texts JOIN {kind}s USING ("text");
"""
_EVENTS = """
    CREATE TABLE events AS
        SELECT seq, user_codes.code AS "user", item_codes.code AS item, time_us, rating
        FROM arrivals
        JOIN user_codes ON "user" = user_codes.number
        JOIN item_codes ON item = item_codes.number;
    DROP TABLE arrivals; DROP TABLE user_codes; DROP TABLE item_codes;
"""


class DiskLog:
    """A DuckDB table of events in a file of its own.

    The table ``events`` has the columns seq, user, item, time_us and rating, where users and items are
    codes that count from 0 in the order in which the raw data first names them.

    Args:
        chunks: All events in raw order, at least one chunk.
        folder: Where the database and its overflow files go; the caller removes it.
        memory_limit: What DuckDB may use before it sorts on disk.
    """

    def __init__(self, chunks: Iterable[Chunk], folder: Path, memory_limit: str = "1GB") -> None:
        self.rows = 0
        self._about: list[str] = []
        self._connection = duckdb.connect(
            str(folder / "events.duckdb"),
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(folder / "overflow"),
                "preserve_insertion_order": "false",
            },
        )
        try:
            self._fill(chunks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query over the table ``events``."""
        return self._connection.execute(sql).fetchall()

    def delete(self, where: str) -> int:
        """Delete events, and return how many."""
        ((deleted,),) = self.query(f"DELETE FROM events WHERE {where}")  # noqa: S608  # our own names and whole numbers
        self.rows -= int(deleted)
        return int(deleted)

    def keep_listed(self, column: str, codes: pa.Array) -> int:
        """Delete the events whose user or item is not in a list of codes, and return how many."""
        self._connection.register("listed", pa.table({"code": codes}))
        deleted = self.delete(f'"{column}" NOT IN (SELECT code FROM listed)')  # noqa: S608  # our own names and whole numbers
        self._connection.unregister("listed")
        return deleted

    def names(self, kind: str) -> pa.Array:
        """Return the token of each user or item by its code, with or without events."""
        reader = self._read(f'SELECT "text" FROM {kind}s ORDER BY code', 100_000)  # noqa: S608  # our own names and whole numbers
        chunks = [batch.column(0).cast(pa.large_string()) for batch in reader]  # together they may pass 2 GB
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())

    def about(self, kind: str) -> pa.Table:
        """Return what the events say about each user or item that has any; first column: its token."""
        texts = self._about if kind == "item" else []
        more = "".join(f', "{name}"' for name in texts)
        sql = (
            f'SELECT {kind}s."text" AS {kind}_id{more} FROM {kind}s '  # noqa: S608  # our own names and whole numbers
            f"JOIN {kind}_texts USING (number) "
            f'WHERE code IN (SELECT DISTINCT "{kind}" FROM events) ORDER BY code'
        )
        reader = self._read(sql, 100_000)
        return pa.Table.from_batches(reader, reader.schema)

    def groups(self, newest_first: bool, rows: int) -> Iterator[Plays]:
        """Yield the events of some users after another, users in rising order, all of a user at once.

        Args:
            newest_first: Whether of two events of one user and microsecond the one
                later in the raw data comes first.
            rows: Size of a group, about.

        Yields:
            Events by user, time and raw order.
        """
        seq = "seq DESC" if newest_first else "seq"
        sql = f'SELECT "user", item, time_us, rating FROM events ORDER BY "user", time_us, {seq}'  # noqa: S608  # our own names and whole numbers
        cut_user: list[pa.RecordBatch] = []
        for batch in self._read(sql, rows):
            user = batch.column(0).to_numpy()
            cut = int(np.searchsorted(user, user[-1])) if len(user) else 0
            if cut:
                yield _plays([*cut_user, batch.slice(0, cut)])
                cut_user = []
            elif cut_user and cut_user[-1].column(0)[0] != batch.column(0)[0]:
                yield _plays(cut_user)
                cut_user = []
            cut_user.append(batch.slice(cut))
        if cut_user:
            yield _plays(cut_user)

    def _fill(self, chunks: Iterable[Chunk]) -> None:
        """Insert one chunk after the other, and then code users and items."""
        self._connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        texts = {"user": 0, "item": 0}
        for chunk in chunks:
            plays = chunk.plays
            columns = {
                "seq": np.arange(self.rows, self.rows + len(plays)),
                "user": plays.user + np.int64(texts["user"]),
                "item": plays.item + np.int64(texts["item"]),
                "time_us": plays.time_us,
                "rating": plays.rating,
            }
            self._insert("arrivals", pa.table(columns))
            self.rows += len(plays)
            self._about = chunk.texts["item"].column_names[1:]
            for kind, table in chunk.texts.items():
                numbers = np.arange(texts[kind], texts[kind] + len(table))
                self._insert(f"{kind}_texts", table.add_column(0, "number", pa.array(numbers)))
                texts[kind] += len(table)
        for kind in texts:
            self._connection.execute(_CODES.format(kind=kind))
        self._connection.execute(_EVENTS)

    def _insert(self, table: str, rows: pa.Table) -> None:
        self._connection.register("arriving", rows)
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS FROM arriving LIMIT 0")
        self._connection.execute(f"INSERT INTO {table} FROM arriving")
        self._connection.unregister("arriving")

    def _read(self, sql: str, batch_rows: int) -> pa.RecordBatchReader:
        result: Any = self._connection.sql(sql)
        # Older releases of DuckDB 1 know the second name only.
        return (getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader)(batch_rows)


def _plays(batches: list[pa.RecordBatch]) -> Plays:
    table = pa.Table.from_batches(batches)
    return Plays(*(column.to_numpy() for column in table.columns))
