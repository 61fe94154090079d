"""Source ``yambda``: flat and sequential parquet files of Yambda."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.ahead import each_block
from dataset_converters.common.arrays import as_texts, count_true, keep
from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.progress import Progress, read_each
from dataset_converters.common.readers import read_percentage
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.column_types import check_type, is_list
from dataset_converters.reading.locate import list_files
from dataset_converters.reading.parquet_files import decode_rows, naming, parquet_schema, read_rows
from dataset_converters.reading.ratings import EventRatings, rate_events
from dataset_converters.reading.times import column_times

_COLUMNS = {
    "uid": "user",
    "item_id": "item",
    "timestamp": "time",
    "played_ratio_pct": "percentage",
    "event_type": "event",
}
_FLAT_ROWS = 200_000
_SEQUENTIAL_ROWS = 128


@dataclass(frozen=True)
class YambdaOptions:
    """How to read the file.

    Attributes:
        ratings: Rating of ``play``, ``skip``, ``like``, ``dislike`` and any other event.
        min_played_ratio: A listen to at least this per cent of the track is a play, else a skip.
    """

    ratings: EventRatings = field(default_factory=EVENT_RATINGS.copy)
    min_played_ratio: Annotated[
        float, Option(read_percentage, "a listen to less than this is a skip", "PERCENT")
    ] = 50


def read_events(raw: Path, options: YambdaOptions, ledger: Ledger) -> RawLog:
    """Open ``listens.parquet``, ``multi_event.parquet`` or another file of events, or its parts.

    Args:
        raw: The file, or a folder of files with the same columns, read in the order of their names;
            the types say whether it is flat or sequential.
        options: How to read it.
        ledger: Counts events.

    Returns:
        Events in the order of the file.

    Raises:
        ConversionError: A file is missing, not parquet, or lacks a column; or files differ.
    """
    paths = list_files(raw, (".parquet",), ledger)
    names = _names(paths[0])
    for path in paths[1:]:
        if _names(path) != names:
            raise ConversionError(
                f"{path.name} and {paths[0].name} have different columns, so they are no parts of one "
                "file; give one file, such as listens.parquet"
            )
    progress = Progress()
    reader = _Reader(paths, names, options, ledger)
    return RawLog(reader.batches(progress), progress=progress)


def _names(path: Path) -> dict[str, str]:
    """Return what a file calls the columns.

    Raises:
        ConversionError: It is missing, not parquet, or lacks a column.
    """
    schema = parquet_schema(path, "; give a parquet file of Yambda, or the folder of its parts")
    names = {name: _find(schema, name) for name in _COLUMNS}
    missing = [name for name in list(_COLUMNS)[:3] if names[name] is None]
    if not (names["played_ratio_pct"] or names["event_type"]):
        missing.append("played_ratio_pct or event_type")
    if missing:
        there = ", ".join(schema.names) or "nothing"
        raise ConversionError(f"{path.name} has no column {', '.join(missing)}; it has {there}")
    chosen = {new: old for new, old in names.items() if old}
    for new, old in chosen.items():
        kind = schema.field(old).type
        check_type(path.name, _COLUMNS[new], old, kind.value_type if is_list(kind) else kind)
    return chosen


def _find(schema: pa.Schema, name: str) -> str | None:
    """Return the column of that name; lists of values may go by its plural."""
    return next((column for column in (name, f"{name}s") if column in schema.names), None)


@dataclass
class _Reader:
    paths: list[Path]
    names: dict[str, str]
    options: YambdaOptions
    ledger: Ledger

    def batches(self, progress: Progress) -> Iterator[pa.RecordBatch]:
        return each_block(self._read, read_each(self.paths, self._rows, progress), self.ledger)

    def _rows(self, path: Path, progress: Progress) -> Iterator[tuple[Path, pa.RecordBatch]]:
        kind = parquet_schema(path).field(self.names["item_id"]).type
        rows = _SEQUENTIAL_ROWS if is_list(kind) else _FLAT_ROWS
        for batch in read_rows(path, list(self.names.values()), rows, progress):
            yield path, batch

    def _read(self, block: tuple[Path, pa.RecordBatch], ledger: Ledger) -> list[pa.RecordBatch]:
        path, batch = block
        columns = {new: batch.column(old) for new, old in self.names.items()}
        with naming(path):
            return [self._events(_flatten(columns), ledger)]

    def _events(self, columns: dict[str, pa.Array], ledger: Ledger) -> pa.RecordBatch:
        ledger.read(len(columns["uid"]))
        columns = decode_rows(columns, ledger)
        ratings, known = rate_events(self._kinds(columns, ledger), self.options.ratings, ledger)
        user, item = as_texts(columns["uid"]), as_texts(columns["item_id"])
        times = column_times(columns["timestamp"], "s")
        return keep(events_batch(user, item, times, ratings), known)

    def _kinds(self, columns: dict[str, pa.Array], ledger: Ledger) -> pa.Array:
        """Return what each event is; null for a listen of unknown length."""
        ratio = columns.get("played_ratio_pct")
        long = pc.greater_equal(ratio, self.options.min_played_ratio) if ratio is not None else None
        listens = pc.if_else(long, "play", "skip") if long is not None else pa.scalar(None, pa.string())
        if "event_type" not in columns:
            ledger.note("listens without played_ratio_pct", count_true(pc.is_null(listens)))
            return listens
        kinds = as_texts(columns["event_type"])
        is_listen = pc.fill_null(pc.equal(kinds, "listen"), False)
        return pc.if_else(is_listen, listens, kinds)


def _flatten(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Turn one row per user, if that is what they are, into one row per event.

    Raises:
        ValueError: The lists of a user differ in length.
    """
    lists = {name: column for name, column in columns.items() if is_list(column.type)}
    if not lists:
        return columns
    lengths = pc.fill_null(pc.list_value_length(columns["item_id"]), 0)
    for name, column in lists.items():
        if not pc.fill_null(pc.list_value_length(column), 0).equals(lengths):
            raise ValueError(f"the lists of {name} and item_id differ in length")
    parents = pc.list_parent_indices(columns["item_id"])
    return {
        name: pc.list_flatten(column) if name in lists else column.take(parents)
        for name, column in columns.items()
    }


SOURCE = Source(
    "Yambda", "parquet file, flat or sequential, or a folder of its parts", YambdaOptions, read_events
)
