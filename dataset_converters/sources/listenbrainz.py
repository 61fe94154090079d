"""Source ``listenbrainz``: listens as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.ahead import each_block
from dataset_converters.common.arrays import count_true, is_blank, keep
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.progress import Progress, read_each
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.delimited import reject_suspects
from dataset_converters.reading.locate import list_files
from dataset_converters.reading.streams import RawFile, line_blocks
from dataset_converters.reading.times import parse_times
from dataset_converters.sources.item_key import ItemKeyOptions

SUFFIXES = (".json", ".jsonl", ".ndjson", ".listens")

_BLOCK = 1 << 24  # bytes; a query has a price of its own

_NAMED = {"recording_mbid": "VARCHAR"}
_SHAPE = {
    "listened_at": "VARCHAR",
    "user_name": "VARCHAR",
    "track_metadata": {
        "artist_name": "VARCHAR",
        "track_name": "VARCHAR",
        "mbid_mapping": _NAMED,
        "additional_info": _NAMED,
    },
}
_PATHS = [
    "$.listened_at",
    "$.user_name",
    "$.track_metadata.artist_name",
    "$.track_metadata.track_name",
    "$.track_metadata.mbid_mapping.recording_mbid",
    "$.track_metadata.additional_info.recording_mbid",
]
# DuckDB's parser takes line by line and says which lines are no JSON. Arrow's own reader dies of a
# line that is nothing but `null`.
_CAREFUL = f"""
    SELECT json IS NOT NULL AND json_type(json) = 'OBJECT', listen.listened_at, listen.user_name,
           listen.track_metadata.artist_name, listen.track_metadata.track_name,
           coalesce(nullif(listen.track_metadata.mbid_mapping.recording_mbid, ''),
                    listen.track_metadata.additional_info.recording_mbid)
    FROM (SELECT json, json_transform(json, '{json.dumps(_SHAPE)}') AS listen
          FROM (SELECT CASE WHEN json_valid(line) THEN line END AS json FROM lines))
"""  # noqa: S608  # constants of this file
# Parses a line once, where the other does so for each thing it asks; fails if a line is no JSON.
_QUICK = f"""
    SELECT true, field[1], field[2], field[3], field[4], coalesce(nullif(field[5], ''), field[6])
    FROM (SELECT json_extract_string(line, {_PATHS}) AS field FROM lines)
"""  # noqa: S608  # constants of this file
# DuckDB 1.1 makes the text "null" of a null.
_QUICK_IS_RIGHT = """SELECT json_extract_string('{"a": null}', '$.a') IS NULL"""


def read_events(raw: Path, options: ItemKeyOptions, ledger: Ledger) -> RawLog:
    """Open a file of listens, plain or packed, or a folder of such files.

    Args:
        raw: The file or folder.
        options: How to name items.
        ledger: Counts lines.

    Returns:
        Events in the order of the files, every one a play; artist and track of each item.

    Raises:
        ConversionError: A file is missing or cut off, or the folder has none.
    """
    progress = Progress()
    paths = list_files(raw, SUFFIXES, ledger)
    return RawLog(_batches(paths, options, progress, ledger), progress=progress)


def _batches(
    paths: list[Path], options: ItemKeyOptions, progress: Progress, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        quick: bool = connection.execute(_QUICK_IS_RIGHT).fetchall()[0][0]
        read = partial(_read, connection, quick, options)

        def read_file(path: Path, within: Progress) -> Iterator[pa.RecordBatch]:
            with RawFile(path, within) as stream:
                yield from each_block(read, line_blocks(stream, path.name, _BLOCK), ledger)

        yield from read_each(paths, read_file, progress)


def _read(
    connection: Any, quick: bool, options: ItemKeyOptions, block: bytes, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    ledger.read(block.count(b"\n"))
    lines = _split(reject_suspects(block, ledger))
    with connection.cursor() as own:  # for this thread
        own.register("lines", pa.table({"line": lines}))
        good, *columns = _fields(own, quick and pc.all(pc.starts_with(lines, "{")).as_py())
    bad = lines.filter(pc.invert(good)).to_pylist()
    ledger.reject("line is no JSON object", (line.encode("utf-8") for line in bad))
    yield _events(options, good, columns, ledger)


def _fields(connection: Any, quick: bool) -> list[pa.Array]:
    """Return whether each line is an object, its time, user, artist, track and MusicBrainz id."""
    try:
        table = _table(connection.sql(_QUICK if quick else _CAREFUL))
    except duckdb.InvalidInputException:
        table = _table(connection.sql(_CAREFUL))
    return [_whole(column) for column in table.columns]


def _table(result: Any) -> pa.Table:
    # Older releases of DuckDB 1 know the second name only.
    return (getattr(result, "to_arrow_table", None) or result.arrow)()


def _events(
    options: ItemKeyOptions, good: pa.Array, columns: list[pa.Array], ledger: Ledger
) -> pa.RecordBatch:
    time, user, artist, track, mbid = columns
    without_mbid = "no MusicBrainz id of the recording (--item-key name keeps such listens)"
    item, reason = options.name_items(mbid, artist, track, without_mbid)
    unnamed = pc.and_(good, is_blank(item))
    ledger.drop(reason, count_true(unnamed))
    rating = pa.repeat(EVENT_RATINGS["play"], len(item))
    batch = events_batch(user, item, parse_times(time, "auto"), rating, artist=artist, track=track)
    return keep(batch, pc.and_not(good, unnamed))


def _split(block: bytes) -> pa.Array:
    """Return the lines of a block as strings, without copying each into a Python object."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(ends), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(block)]
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


SOURCE = Source("ListenBrainz", "JSON lines, or a folder of them", ItemKeyOptions, read_events)
