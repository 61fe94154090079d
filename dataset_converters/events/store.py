"""Events between reading and writing: in memory while they fit, on disk from then on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from dataset_converters.common.ahead import map_ahead
from dataset_converters.common.progress import say
from dataset_converters.events.chunks import Chunk, Plays, encode_chunk
from dataset_converters.events.disk import DiskLog
from dataset_converters.events.memory import MemoryLog
from dataset_converters.events.spill import SpilledLog

_CHUNK = 1_000_000  # rows that are encoded together
_GROUP = 250_000  # rows that are ordered, counted and written together


class EventStore:
    """All events of a log, to select and read.

    Users and items get codes that count from 0 in the order in which the raw data first names them.

    Args:
        batches: Events with the columns of ``schema.EVENTS``, and texts about the item behind them.
        folder: Where events go that memory cannot hold, or a database to select from; the caller removes it.
        memory: Bytes that events may take before they go to disk.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], folder: Path, memory: int = 640 << 20) -> None:
        self._folder = folder
        # A chunk is encoded while the next one is read.
        chunks = map_ahead(encode_chunk, _portions(batches), threads=1)
        self._log: MemoryLog | SpilledLog | DiskLog = _keep(chunks, folder, memory)

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *reason: object) -> None:
        if isinstance(self._log, DiskLog):
            self._log.close()

    @property
    def rows(self) -> int:
        """Number of events."""
        return self._log.rows

    def on_disk(self) -> DiskLog:
        """Return the events as a table to select from, and keep to that from now on."""
        if isinstance(self._log, MemoryLog):
            self._log = DiskLog(self._log.chunks, self._folder)
        elif isinstance(self._log, SpilledLog):
            self._log = DiskLog(self._log.chunks(), self._folder)
        return self._log

    def names(self, kind: str) -> pa.Array:
        """Return the token of each user or item by its code, with or without events.

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
            newest_first: Whether of two events of one user and microsecond the one
                later in the raw data comes first.
            rows: Size of a group, about.

        Yields:
            Events that ``chunks.in_order`` puts in order.
        """
        return self._log.groups(newest_first, rows)


def _portions(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches by the million rows; nothing in one portion if there are none."""
    portion: list[pa.RecordBatch] = []
    rows, first = 0, True
    for batch in batches:
        portion.append(batch)
        rows += batch.num_rows
        if rows >= _CHUNK:
            yield portion
            portion, rows, first = [], 0, False
    if portion or first:
        yield portion


def _keep(chunks: Iterator[Chunk], folder: Path, memory: int) -> MemoryLog | SpilledLog:
    kept: list[Chunk] = []
    for chunk in chunks:
        kept.append(chunk)
        if sum(one.size for one in kept) > memory:
            say(f"more than {memory >> 20} MB of events: they go to {folder}")
            return SpilledLog(chain(_taken(kept), chunks), folder)
    return MemoryLog(kept)


def _taken(chunks: list[Chunk]) -> Iterator[Chunk]:
    """Yield chunks, and let go of each before the next."""
    while chunks:
        yield chunks.pop(0)
