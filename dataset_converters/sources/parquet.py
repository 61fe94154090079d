"""Source ``parquet``: one row per user with a list of actions, and a table of tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import as_texts, count_true, decode, is_utf8
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.progress import Progress
from dataset_converters.common.readers import one_of
from dataset_converters.common.schema import EVENT_RATINGS, EVENTS, RawLog
from dataset_converters.common.source import Source
from dataset_converters.reading.parquet_files import naming, parquet_schema, read_rows
from dataset_converters.reading.ratings import rate_events, read_ratings
from dataset_converters.reading.times import timestamps_us
from dataset_converters.sources.parquet_layout import FieldOptions, Layout, find_layout
from dataset_converters.sources.tracks import Tracks, read_tracks

ACTION_RATINGS = {
    "1": EVENT_RATINGS["play"],
    "2": EVENT_RATINGS["like"],
    "-1": EVENT_RATINGS["skip"],
    "-2": EVENT_RATINGS["dislike"],
}
"""Default meaning of the integer action."""

_USERS_PER_BATCH = 256
_SIZE = "size_of_actions"


@dataclass(frozen=True)
class ParquetOptions(FieldOptions):
    """How to read the files.

    Attributes:
        ratings: Rating of each action; other actions are dropped.
        unknown_tracks: ``keep`` plays of tracks that ``tracks.parquet`` lacks, under the item id
            ``index-N``, or ``drop`` them.
    """

    ratings: Annotated[
        dict[str, float],
        Option(
            read_ratings,
            "rating of each action; other actions are dropped; default: 1=1,2=2,-1=-1,-2=-2, "
            "that is play, like, skip, dislike",
            "ACTION=RATING,...",
        ),
    ] = field(default_factory=ACTION_RATINGS.copy)
    unknown_tracks: Annotated[
        str, Option(one_of("keep", "drop"), "plays of tracks not in tracks.parquet", "{keep,drop}")
    ] = "keep"


def read_events(raw: Path, options: ParquetOptions, ledger: Ledger) -> RawLog:
    """Open ``interactions.parquet`` and, if it is there, ``tracks.parquet`` beside it.

    Args:
        raw: The folder, or the interactions file itself.
        options: How to read it.
        ledger: Counts actions read and dropped.

    Returns:
        Events in the order of the file.

    Raises:
        ConversionError: A file is missing, unreadable, or lacks what is needed.
    """
    path = raw / "interactions.parquet" if raw.is_dir() else raw
    advice = "; give the folder that holds interactions.parquet, or the file itself"
    layout = find_layout(path.name, parquet_schema(path, advice), options)
    tracks = read_tracks(path.parent / "tracks.parquet", ledger)
    progress = Progress()
    reader = _Reader(path, layout, options, tracks, ledger)
    return RawLog(reader.batches(progress), tracks.features if tracks else None, progress=progress)


@dataclass
class _Reader:
    path: Path
    layout: Layout
    options: ParquetOptions
    tracks: Tracks | None
    ledger: Ledger

    def batches(self, progress: Progress) -> Iterator[pa.RecordBatch]:
        schema = parquet_schema(self.path)
        columns = [self.layout.user, self.layout.actions]
        if _SIZE in schema.names and pa.types.is_integer(schema.field(_SIZE).type):
            columns.append(_SIZE)
        for rows in read_rows(self.path, columns, _USERS_PER_BATCH, progress):
            with naming(self.path):
                events = self._events(self._readable(rows))
            yield events

    def _readable(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Leave out users that are not UTF-8, with all their actions."""
        valid = is_utf8(decode(rows.column(self.layout.user)))
        if valid is None:
            return rows
        lost = len(pc.list_flatten(rows.filter(pc.invert(valid)).column(self.layout.actions)))
        self.ledger.read(lost)
        self.ledger.drop("user is not UTF-8", lost)
        return rows.filter(valid)

    def _events(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        lists = rows.column(self.layout.actions)
        self._compare_sizes(rows, lists)
        structs = pc.list_flatten(lists)
        users = as_texts(decode(rows.column(self.layout.user))).take(pc.list_parent_indices(lists))
        self.ledger.read(len(structs))
        values = [self._field(structs, name) for name in self._names()]
        present = pc.is_valid(structs)
        self.ledger.drop("action entry is null", len(structs) - count_true(present))
        actions = values[2].filter(present).cast(pa.string())
        ratings, known = rate_events(actions, self.options.ratings, self.ledger, "action")
        users, index, times = (
            column.filter(present).filter(known) for column in (users, values[0], values[1])
        )
        items, listed = self._items(index)
        columns = [users, items, timestamps_us(times), ratings.filter(known)]
        return pa.RecordBatch.from_arrays([c.filter(listed) for c in columns], schema=EVENTS)

    def _names(self) -> tuple[str, str, str]:
        return self.layout.index, self.layout.time, self.layout.action

    def _field(self, structs: pa.Array, name: str) -> pa.Array:
        return pc.struct_field(structs, [structs.type.get_field_index(name)])

    def _compare_sizes(self, rows: pa.RecordBatch, lists: pa.Array) -> None:
        """Note users whose ``size_of_actions`` is not the length of their list."""
        lengths = pc.fill_null(pc.list_value_length(lists), 0)
        self.ledger.note("users without actions", count_true(pc.equal(lengths, 0)))
        if _SIZE in rows.schema.names:
            stated = pc.fill_null(rows.column(_SIZE), 0)
            wrong = count_true(pc.not_equal(stated.cast(pa.int64()), lengths.cast(pa.int64())))
            self.ledger.note("users whose size_of_actions differs from their list", wrong)

    def _items(self, index: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return item ids and a mask of the events to keep."""
        if self.tracks is None:
            return index.cast(pa.string()), pa.repeat(True, len(index))
        ids = self.tracks.ids_of(index)
        unknown = pc.and_(pc.is_null(ids), pc.is_valid(index))
        if self.options.unknown_tracks == "drop":
            self.ledger.drop("track index not in tracks.parquet", count_true(unknown))
            return ids, pc.invert(unknown)
        self.ledger.note("actions on tracks not in tracks.parquet, kept", count_true(unknown))
        named = pc.binary_join_element_wise("index", index.cast(pa.string()), "-")
        return pc.if_else(unknown, named, ids), pa.repeat(True, len(index))


SOURCE = Source("interactions.parquet and tracks.parquet", "folder of the files", ParquetOptions, read_events)
