"""Events between reading and writing: in memory while they fit, on disk from then on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from dataset_converters.events.chunks import Chunk, Plays, encode_chunk
from dataset_converters.events.disk import DiskLog
from dataset_converters.events.memory import MemoryLog

_CHUNK = 1_000_000  # rows that are encoded together
_GROUP = 250_000  # rows that are ordered, counted and written together


class EventStore:
    """All events of a log.

    Append all batches, call ``index`` once, then select and read. Users and items are numbers that
    count from 0 in the order in which the raw data first names them.

    Args:
        folder: Where a database goes if one is needed; the caller removes it.
        memory: Bytes that events may take before they go to disk.
    """

    def __init__(self, folder: Path, memory: int = 640 << 20) -> None:
        self._folder, self._memory = folder, memory
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        # Chunks are encoded while the next one is read.
        self._pool = ThreadPoolExecutor(1)
        self._flushed: Future[None] = Future()
        self._flushed.set_result(None)
        self._chunks: list[Chunk] = []
        self._disk: DiskLog | None = None
        self._in_memory: MemoryLog | None = None

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown()
        if self._disk:
            self._disk.close()

    @property
    def rows(self) -> int:
        """Number of events."""
        return self._log.rows

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
        if self._disk:
            self._disk.index()
        else:
            self._in_memory = MemoryLog(self._chunks)

    def on_disk(self) -> DiskLog:
        """Return the indexed events as a table to select from, and keep to that from now on."""
        if not self._disk:
            self._move_to_disk().index()
            self._in_memory = None
        return self._log_on_disk()

    def names(self, kind: str) -> pa.Array:
        """Return the token of each user or item by its number, with or without events.

        Args:
            kind: ``user`` or ``item``.
        """
        return self._log.names(kind)

    def tokens(self, kind: str) -> pa.Array:
        """Return the tokens of the users or items that have events, in order of first appearance."""
        return self.about(kind).column(0).combine_chunks()

    def about(self, kind: str = "item") -> pa.Table:
        """Return what the events say about each user or item that has any; first column: its token."""
        return self._log.about(kind)

    def groups(self, newest_first: bool = False, rows: int = _GROUP) -> Iterator[Plays]:
        """Yield the events of some users after another, users in rising order, all of a user at once.

        Args:
            newest_first: Whether of two events of one user and microsecond the one that stands
                later in the raw data comes first.
            rows: Size of a group, about.

        Yields:
            Events that ``chunks.in_order`` puts in order.
        """
        return self._log.groups(newest_first, rows)

    @property
    def _log(self) -> MemoryLog | DiskLog:
        return self._in_memory or self._log_on_disk()

    def _log_on_disk(self) -> DiskLog:
        if self._disk is None:
            raise RuntimeError("call index() first")
        return self._disk

    def _move_to_disk(self) -> DiskLog:
        self._disk = DiskLog(self._folder)
        for chunk in self._chunks:
            self._disk.insert(chunk)
        self._chunks.clear()
        return self._disk

    def _flush(self) -> None:
        self._flushed.result()
        self._flushed = self._pool.submit(self._keep, self._pending)
        self._pending, self._pending_rows = [], 0

    def _keep(self, batches: list[pa.RecordBatch]) -> None:
        if not batches and (self._chunks or self._disk):
            return
        chunk = encode_chunk(batches)
        if self._disk is None and sum(held.size for held in self._chunks) + chunk.size > self._memory:
            self._move_to_disk()
        if self._disk:
            self._disk.insert(chunk)
        else:
            self._chunks.append(chunk)
