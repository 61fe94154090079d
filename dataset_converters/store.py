"""Events on disk: ordering and counting without holding them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

# Users in the order in which the raw data first names them; within a user by time, and events of
# the same microsecond in the order of the raw data.
_ORDERED = """
    WITH first_seen AS (SELECT "user", min(seq) AS first_seq FROM events GROUP BY "user")
    SELECT events."user", item, time_us, rating
    FROM events JOIN first_seen ON events."user" = first_seen."user"
    ORDER BY first_seq, time_us, seq
"""


class EventStore:
    """A DuckDB table of events in a file of its own.

    Args:
        folder: Where the database and its overflow files go; the caller removes it.
        memory_limit: What DuckDB may use before it sorts on disk.
    """

    def __init__(self, folder: Path, memory_limit: str = "1GB") -> None:
        self._rows = 0
        self._connection = duckdb.connect(
            str(folder / "events.duckdb"),
            config={
                "memory_limit": memory_limit,
                "temp_directory": str(folder / "overflow"),
                "preserve_insertion_order": "false",
            },
        )
        self._connection.execute(
            'CREATE TABLE events (seq BIGINT, "user" VARCHAR, item VARCHAR, time_us BIGINT, rating DOUBLE)'
        )

    def __enter__(self) -> EventStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    @property
    def rows(self) -> int:
        """Number of events stored."""
        return self._rows

    def append(self, batch: pa.RecordBatch) -> None:
        """Store events with the columns of ``schema.EVENTS``."""
        seq = pa.array(np.arange(self._rows, self._rows + batch.num_rows, dtype=np.int64))
        table = pa.Table.from_arrays(
            [seq, *batch.columns], names=["seq", "user", "item", "time_us", "rating"]
        )
        self._connection.register("arriving", table)
        self._connection.execute("INSERT INTO events SELECT * FROM arriving")
        self._connection.unregister("arriving")
        self._rows += batch.num_rows

    def ordered(self, batch_rows: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Yield all events: users by first appearance, then time, then raw order."""
        result: Any = self._connection.sql(_ORDERED)
        # Older releases of DuckDB 1 know the second name only.
        read = getattr(result, "to_arrow_reader", None) or result.fetch_arrow_reader
        yield from read(batch_rows)

    def items(self) -> pa.Array:
        """Return the distinct items in the order in which the raw data first names them."""
        rows = self.query("SELECT item FROM events GROUP BY item ORDER BY min(seq)")
        return pa.array([item for (item,) in rows], pa.string())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query over the table ``events``."""
        return self._connection.execute(sql).fetchall()
