"""Events on disk: selecting, and ordering more than memory holds."""

from __future__ import annotations

from collections.abc import Iterator
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

    Insert all chunks, call ``index`` once, and then select, count and read. From then on the
    table ``events`` has the columns seq, user, item, time_us and rating, where users and items are
    numbers that count from 0 in the order in which the raw data first names them.

    Args:
        folder: Where the database and its overflow files go; the caller removes it.
        memory_limit: What DuckDB may use before it sorts on disk.
    """

    def __init__(self, folder: Path, memory_limit: str = "1GB") -> None:
        self.rows = 0
        self._texts = {"user": 0, "item": 0}
        self._about: list[str] | None = None
        self._connection = duckdb.connect(
            str(folder / "events.duckdb"),
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(folder / "overflow"),
                "preserve_insertion_order": "false",
            },
        )
        self._connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        self._connection.execute(
            'CREATE TABLE arrivals (seq BIGINT, "user" BIGINT, item BIGINT, time_us BIGINT, rating DOUBLE)'
        )
        self._connection.execute('CREATE TABLE user_texts (number BIGINT, "text" VARCHAR)')

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def insert(self, chunk: Chunk) -> None:
        """Take a chunk, behind those before."""
        if self._about is None:
            self._about = chunk.texts["item"].column_names[1:]
            more = "".join(f', "{name}" VARCHAR' for name in self._about)
            self._connection.execute(f'CREATE TABLE item_texts (number BIGINT, "text" VARCHAR{more})')
        plays = chunk.plays
        columns = {
            "seq": np.arange(self.rows, self.rows + len(plays)),
            "user": plays.user + np.int64(self._texts["user"]),
            "item": plays.item + np.int64(self._texts["item"]),
            "time_us": plays.time_us,
            "rating": plays.rating,
        }
        self._insert("arrivals", pa.table(columns))
        self.rows += len(plays)
        for kind, texts in chunk.texts.items():
            numbers = np.arange(self._texts[kind], self._texts[kind] + len(texts))
            self._insert(f"{kind}_texts", texts.add_column(0, "number", pa.array(numbers)))
            self._texts[kind] += len(texts)

    def index(self) -> None:
        """Number users and items; nothing can be inserted any more."""
        for kind in ("user", "item"):
            self._connection.execute(_CODES.format(kind=kind))
        self._connection.execute(_EVENTS)

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
        """Return the token of each user or item by its number, with or without events."""
        reader = self._read(f'SELECT "text" FROM {kind}s ORDER BY code', 100_000)  # noqa: S608  # our own names and whole numbers
        chunks = [batch.column(0).cast(pa.large_string()) for batch in reader]  # together they may pass 2 GB
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())

    def about(self, kind: str) -> pa.Table:
        """Return what the events say about each user or item that has any; first column: its token."""
        texts = (self._about or []) if kind == "item" else []
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
            newest_first: Whether of two events of one user and microsecond the one that stands
                later in the raw data comes first.
            rows: Size of a group, about.

        Yields:
            Events by user, time and raw order.
        """
        seq = "seq DESC" if newest_first else "seq"
        sql = f'SELECT "user", item, time_us, rating FROM events ORDER BY "user", time_us, {seq}'  # noqa: S608  # our own names and whole numbers
        held: list[pa.RecordBatch] = []
        for batch in self._read(sql, rows):
            user = batch.column(0).to_numpy()
            cut = int(np.searchsorted(user, user[-1])) if len(user) else 0
            if cut:
                yield _plays([*held, batch.slice(0, cut)])
                held = []
            elif held and held[-1].column(0)[0] != batch.column(0)[0]:
                yield _plays(held)
                held = []
            held.append(batch.slice(cut))
        if held:
            yield _plays(held)

    def _insert(self, table: str, rows: pa.Table) -> None:
        self._connection.register("arriving", rows)
        self._connection.execute(f"INSERT INTO {table} SELECT * FROM arriving")  # noqa: S608  # our own names and whole numbers
        self._connection.unregister("arriving")

    def _read(self, sql: str, batch_rows: int) -> pa.RecordBatchReader:
        result: Any = self._connection.sql(sql)
        # Older releases of DuckDB 1 know the second name only.
        return (getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader)(batch_rows)


def _plays(batches: list[pa.RecordBatch]) -> Plays:
    table = pa.Table.from_batches(batches)
    return Plays(*(column.to_numpy() for column in table.columns))
