"""Source ``listenbrainz``: listens as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.arrays import count_true, is_blank, join_names
from dataset_converters.delimited import reject_suspects
from dataset_converters.ledger import Ledger
from dataset_converters.locate import list_files
from dataset_converters.schema import EVENT_RATINGS, Progress, RawLog, events_batch
from dataset_converters.streams import RawFile, line_blocks
from dataset_converters.times import parse_times

SUFFIXES = (".json", ".jsonl", ".ndjson", ".listens")

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
# DuckDB's parser takes line by line and says which lines are no JSON. Arrow's own reader dies of a
# line that holds nothing but `null`.
_FIELDS = f"""
    SELECT json IS NOT NULL AND json_type(json) = 'OBJECT', listen.listened_at, listen.user_name,
           listen.track_metadata.artist_name, listen.track_metadata.track_name,
           coalesce(nullif(listen.track_metadata.mbid_mapping.recording_mbid, ''),
                    listen.track_metadata.additional_info.recording_mbid)
    FROM (SELECT json, json_transform(json, '{json.dumps(_SHAPE)}') AS listen
          FROM (SELECT CASE WHEN json_valid(line) THEN line END AS json FROM lines))
"""  # noqa: S608


def read_events(raw: Path, item_key: str, ledger: Ledger) -> RawLog:
    """Open a file of listens, plain or packed, or a folder of such files.

    Args:
        raw: The file or folder.
        item_key: ``mbid`` names items by the recording's MusicBrainz id and drops listens without
            one; ``name`` names them "artist – track".
        ledger: Counts lines.

    Returns:
        Events in the order of the files, every one a play; artist and track of each item.

    Raises:
        ConversionError: A file is missing or cut off, or the folder has none.
    """
    progress = Progress()
    paths = list_files(raw, SUFFIXES, ledger)
    return RawLog(_batches(paths, item_key, progress, ledger), progress=progress)


def _batches(
    paths: list[Path], item_key: str, progress: Progress, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        for number, path in enumerate(paths):
            within = Progress()
            with RawFile(path, within) as stream:
                for block in line_blocks(stream, path.name):
                    progress.done = (number + within.done) / len(paths)
                    ledger.read(block.count(b"\n"))
                    yield _events(connection, reject_suspects(block, ledger), item_key, ledger)


def _events(connection: Any, block: bytes, item_key: str, ledger: Ledger) -> pa.RecordBatch:
    lines = _split(block)
    connection.register("lines", pa.table({"line": lines}))
    result = connection.sql(_FIELDS)
    read = getattr(result, "to_arrow_table", None) or result.arrow
    good, time, user, artist, track, mbid = (_whole(column) for column in read().columns)
    connection.unregister("lines")
    bad = lines.filter(pc.invert(good)).to_pylist()
    ledger.reject("line is no JSON object", (line.encode("utf-8") for line in bad))
    if item_key == "mbid":
        item, reason = mbid, "no MusicBrainz id of the recording (--item-key name keeps such listens)"
    else:
        item, reason = join_names(artist, track), "no name of the artist or the track"
    unnamed = pc.and_(good, is_blank(item))
    ledger.drop(reason, count_true(unnamed))
    rating = pa.repeat(EVENT_RATINGS["play"], len(item))
    batch = events_batch(user, item, parse_times(time, "auto"), rating, artist=artist, track=track)
    return batch.filter(pc.and_not(good, unnamed))


def _split(block: bytes) -> pa.Array:
    """Return the lines of a block as strings, without copying each into a Python object."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(ends), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(block)]
    )


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
