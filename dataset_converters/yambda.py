"""Source ``yambda``: flat and sequential parquet files of Yambda."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from dataset_converters.arrays import as_texts, count_true, keep
from dataset_converters.errors import ConversionError
from dataset_converters.ledger import Ledger
from dataset_converters.ratings import rate_events
from dataset_converters.schema import EVENT_RATINGS, Progress, RawLog, events_batch
from dataset_converters.times import column_times
from dataset_converters.tracks import parquet_schema

_COLUMNS = ("uid", "item_id", "timestamp", "played_ratio_pct", "event_type")
_FLAT_ROWS = 500_000
_SEQUENTIAL_ROWS = 128


@dataclass(frozen=True)
class YambdaOptions:
    """How to read the file.

    Attributes:
        ratings: Rating of ``play``, ``skip``, ``like``, ``dislike`` and any other event.
        min_played_ratio: A listen to at least this per cent of the track is a play, else a skip.
    """

    ratings: dict[str, float] = field(default_factory=lambda: dict(EVENT_RATINGS))
    min_played_ratio: float = 50


def read_events(raw: Path, options: YambdaOptions, ledger: Ledger) -> RawLog:
    """Open ``listens.parquet``, ``multi_event.parquet`` or another file of events.

    Args:
        raw: The file; flat or sequential is told by the types.
        options: How to read it.
        ledger: Counts events.

    Returns:
        Events in the order of the file.

    Raises:
        ConversionError: The file is missing, not parquet, or lacks a column.
    """
    if raw.is_dir():
        raise ConversionError(f"{raw} is a folder; give the file, such as {raw / 'listens.parquet'}")
    schema = parquet_schema(raw)
    names = {name: _find(schema, name) for name in _COLUMNS}
    missing = [name for name in _COLUMNS[:3] if names[name] is None]
    if not (names["played_ratio_pct"] or names["event_type"]):
        missing.append("played_ratio_pct or event_type")
    if missing:
        found = ", ".join(schema.names) or "nothing"
        raise ConversionError(f"{raw.name} has no column {', '.join(missing)}; it has {found}")
    progress = Progress()
    reader = _Reader(raw, {new: old for new, old in names.items() if old}, options, ledger)
    return RawLog(reader.batches(progress), progress=progress)


def _find(schema: pa.Schema, name: str) -> str | None:
    """Return the column of that name; lists of values may go by its plural."""
    return next((found for found in (name, f"{name}s") if found in schema.names), None)


@dataclass
class _Reader:
    path: Path
    names: dict[str, str]
    options: YambdaOptions
    ledger: Ledger

    def batches(self, progress: Progress) -> Iterator[pa.RecordBatch]:
        file, done = pq.ParquetFile(self.path), 0
        rows = _SEQUENTIAL_ROWS if self._is_list(file.schema_arrow) else _FLAT_ROWS
        for batch in file.iter_batches(batch_size=rows, columns=list(self.names.values())):
            done += batch.num_rows
            progress.done = done / file.metadata.num_rows
            yield self._events({new: batch.column(old) for new, old in self.names.items()})

    def _is_list(self, schema: pa.Schema) -> bool:
        return _is_list(schema.field(self.names["item_id"]).type)

    def _events(self, columns: dict[str, pa.Array]) -> pa.RecordBatch:
        if _is_list(columns["item_id"].type):
            columns = _flatten(columns)
        self.ledger.read(len(columns["uid"]))
        ratings, known = rate_events(self._kinds(columns), self.options.ratings, self.ledger)
        user, item = as_texts(columns["uid"]), as_texts(columns["item_id"])
        times = column_times(columns["timestamp"], "s")
        return keep(events_batch(user, item, times, ratings), known)

    def _kinds(self, columns: dict[str, pa.Array]) -> pa.Array:
        """Return what each event is; null for a listen of unknown length."""
        ratio = columns.get("played_ratio_pct")
        long = pc.greater_equal(ratio, self.options.min_played_ratio) if ratio is not None else None
        listens = pc.if_else(long, "play", "skip") if long is not None else pa.scalar(None, pa.string())
        if "event_type" not in columns:
            self.ledger.note("listens without played_ratio_pct", count_true(pc.is_null(listens)))
            return listens
        kinds = as_texts(columns["event_type"])
        is_listen = pc.fill_null(pc.equal(kinds, "listen"), False)
        return pc.if_else(is_listen, listens, kinds)


def _flatten(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Turn one row per user into one row per event.

    Raises:
        ConversionError: The lists of a user differ in length.
    """
    lists = {name: column for name, column in columns.items() if _is_list(column.type)}
    lengths = pc.fill_null(pc.list_value_length(columns["item_id"]), 0)
    for name, column in lists.items():
        if not pc.fill_null(pc.list_value_length(column), 0).equals(lengths):
            raise ConversionError(f"the lists of {name} and item_id differ in length")
    parents = pc.list_parent_indices(columns["item_id"])
    return {
        name: pc.list_flatten(column) if name in lists else column.take(parents)
        for name, column in columns.items()
    }


def _is_list(kind: pa.DataType) -> bool:
    return bool(pt.is_list(kind) or pt.is_large_list(kind))
