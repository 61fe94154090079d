"""Events on disk: ordering, selecting and counting without holding them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.schema import EVENTS
from dataset_converters.tokens import escape_tokens

_CHUNK = 1_000_000  # rows that are encoded and inserted together

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


class EventStore:
    """A DuckDB table of events in a file of its own.

    Append all batches, call ``index`` once, and then select, count and read. From then on the
    table ``events`` has the columns seq, user, item, time_us and rating, where users and items are
    numbers that count from 0 in the order in which the raw data first names them.

    Args:
        folder: Where the database and its overflow files go; the caller removes it.
        memory_limit: What DuckDB may use before it sorts on disk.
    """

    def __init__(self, folder: Path, memory_limit: str = "1GB") -> None:
        self._rows = 0
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        # Chunks are stored while the next one is read.
        self._pool = ThreadPoolExecutor(1)
        self._flushed: Future[None] = Future()
        self._flushed.set_result(None)
        self._texts = {"user": 0, "item": 0}
        self._about: list[str] = []
        self._connection = duckdb.connect(
            str(folder / "events.duckdb"),
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(folder / "overflow"),
                "preserve_insertion_order": "false",
            },
        )
        self._connection.execute(
            'CREATE TABLE arrivals (seq BIGINT, "user" BIGINT, item BIGINT, time_us BIGINT, rating DOUBLE)'
        )
        self._connection.execute('CREATE TABLE user_texts (number BIGINT, "text" VARCHAR)')

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown()
        self._connection.close()

    @property
    def rows(self) -> int:
        """Number of events stored."""
        return self._rows

    def append(self, batch: pa.RecordBatch) -> None:
        """Take events with the columns of ``schema.EVENTS``, and texts about the item behind them."""
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        if self._pending_rows >= _CHUNK:
            self._flush()

    def index(self) -> None:
        """Number users and items; nothing can be appended any more."""
        self._flush()
        self._flushed.result()
        for kind in ("user", "item"):
            self._connection.execute(_CODES.format(kind=kind))
        self._connection.execute(_EVENTS)

    def delete(self, where: str) -> int:
        """Delete events, and return how many."""
        ((deleted,),) = self.query(f"DELETE FROM events WHERE {where}")  # noqa: S608
        self._rows -= int(deleted)
        return int(deleted)

    def ordered(self, newest_first: bool = False, batch_rows: int = 250_000) -> Iterator[pa.RecordBatch]:
        """Yield all events with the columns of ``schema.EVENTS``.

        Args:
            newest_first: Whether of two events of one user and microsecond the one that stands
                later in the raw data comes first.
            batch_rows: Rows of a batch, about.

        Yields:
            Events: users by first appearance, then time, then raw order.
        """
        users, items = self._dictionary("users"), self._dictionary("items")
        seq = "seq DESC" if newest_first else "seq"
        sql = f'SELECT "user", item, time_us, rating FROM events ORDER BY "user", time_us, {seq}'  # noqa: S608
        for batch in self._read(sql, batch_rows):
            columns = [users.take(batch.column(0)), items.take(batch.column(1)), *batch.columns[2:]]
            yield pa.RecordBatch.from_arrays(columns, names=EVENTS.names)

    def tokens(self, kind: str) -> pa.Array:
        """Return the tokens of the users or items that have events, in order of first appearance.

        Args:
            kind: ``user`` or ``item``.
        """
        return self.about(kind).column(0).combine_chunks()

    def about(self, kind: str = "item") -> pa.Table:
        """Return what the events say about each user or item that has any; first column: its token."""
        texts = self._about if kind == "item" else []
        more = "".join(f', "{name}"' for name in texts)
        sql = (
            f'SELECT {kind}s."text" AS {kind}_id{more} FROM {kind}s '  # noqa: S608
            f"JOIN {kind}_texts USING (number) "
            f'WHERE code IN (SELECT DISTINCT "{kind}" FROM events) ORDER BY code'
        )
        reader = self._read(sql, 100_000)
        return pa.Table.from_batches(reader, reader.schema)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query over the table ``events``."""
        return self._connection.execute(sql).fetchall()

    def keep_listed(self, column: str, codes: pa.Array) -> int:
        """Delete the events whose user or item is not in a list of codes, and return how many."""
        self._connection.register("listed", pa.table({"code": codes}))
        deleted = self.delete(f'"{column}" NOT IN (SELECT code FROM listed)')  # noqa: S608
        self._connection.unregister("listed")
        return deleted

    def _flush(self) -> None:
        self._flushed.result()
        self._flushed = self._pool.submit(self._store, self._pending)
        self._pending, self._pending_rows = [], 0

    def _store(self, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(batches, batches[0].schema if batches else EVENTS).combine_chunks()
        if not table.num_rows and self._rows:
            return
        if self._rows == 0:
            self._about = table.column_names[len(EVENTS) :]
            more = "".join(f', "{name}" VARCHAR' for name in self._about)
            self._connection.execute(
                f'CREATE OR REPLACE TABLE item_texts (number BIGINT, "text" VARCHAR{more})'
            )
        seq = np.arange(self._rows, self._rows + table.num_rows, dtype=np.int64)
        columns = {"seq": pa.array(seq), "user": self._encode(table, "user", [])}
        columns["item"] = self._encode(table, "item", self._about)
        self._insert("arrivals", pa.table({**columns, "t": table["time_us"], "r": table["rating"]}))
        self._rows += table.num_rows

    def _encode(self, table: pa.Table, kind: str, about: list[str]) -> pa.Array:
        """Store the distinct texts of a column under new numbers, and return a number for each row."""
        encoded = _one_chunk(table[kind]).dictionary_encode()
        texts, start = encoded.dictionary, self._texts[kind]
        numbers = np.arange(start, start + len(texts), dtype=np.int64)
        columns = {"number": pa.array(numbers), "text": escape_tokens(texts)}
        if about:
            first = _first_rows(encoded.indices.to_numpy(), len(texts))
            columns.update((name, _one_chunk(table[name]).take(first)) for name in about)
        self._insert(f"{kind}_texts", pa.table(columns))
        self._texts[kind] += len(texts)
        return pc.add(encoded.indices.cast(pa.int64()), start)

    def _insert(self, table: str, rows: pa.Table) -> None:
        self._connection.register("arriving", rows)
        self._connection.execute(f"INSERT INTO {table} SELECT * FROM arriving")  # noqa: S608
        self._connection.unregister("arriving")

    def _dictionary(self, table: str) -> pa.Array:
        """Return all tokens by code. Large strings: together they may pass 2 GB."""
        reader = self._read(f'SELECT "text" FROM {table} ORDER BY code', 100_000)  # noqa: S608
        chunks = [batch.column(0).cast(pa.large_string()) for batch in reader]
        return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())

    def _read(self, sql: str, batch_rows: int) -> pa.RecordBatchReader:
        result: Any = self._connection.sql(sql)
        # Older releases of DuckDB 1 know the second name only.
        return (getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader)(batch_rows)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _first_rows(codes: np.ndarray[Any, Any], count: int) -> pa.Array:
    """Return the first row of each code, for codes 0 to ``count`` - 1 that all occur."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return pa.array(first)
