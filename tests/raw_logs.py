"""Raw logs to convert: nested parquet, and the same few plays in every text format."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_converters.__main__ import main
from dataset_converters.common.schema import EVENTS
from dataset_converters.events.chunks import in_order
from dataset_converters.events.store import EventStore

STRUCT = pa.struct([("track_index", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("action", pa.int32())])


LIST = pa.list_(STRUCT)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def play(index: int | None, seconds: float | None, action: int | None = 1) -> dict:
    return {
        "track_index": index,
        "at": None if seconds is None else at(seconds),
        "action": action,
    }


def write_interactions(folder: Path, rows: list, user: pa.DataType = None) -> Path:
    """Write (user, actions) rows; sizes are right."""
    users, lists = zip(*rows) if rows else ((), ())
    columns = {
        "character_index": pa.array(users, user or pa.int64()),
        "actions": pa.array(lists, LIST),
        "size_of_actions": pa.array([len(actions or []) for actions in lists], pa.int64()),
    }
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    return folder


def write_tracks(folder: Path, indexes: list, ids: list, **more: list) -> None:
    columns = {
        "track_id": pa.array(ids, pa.string()),
        "track_index": pa.array(indexes, pa.int64()),
        **more,
    }
    pq.write_table(pa.table(columns), folder / "tracks.parquet")


PLAYS = [
    ("ann", "t1", "2009-05-04T23:08:57Z", 1_241_478_537),
    ("ann", "t2", "2009-05-04T23:00:00Z", 1_241_478_000),
    ("bob", "t1", "2008-01-01T00:00:00Z", 1_199_145_600),
    ("ann", "t1", "2009-05-04T22:00:00Z", 1_241_474_400),
]
"""User, item, time as text and as Unix seconds."""


@dataclass(frozen=True)
class Dump:
    """One text format.

    Attributes:
        source: Name of the source.
        file: Name of the file.
        line: Makes a line from user, item, time as text and time in seconds, as texts.
        header: First line, empty if the format has none.
        options: What the source needs, by option.
        delimiter: Between fields, empty for JSON.
        iso: Whether the format's times are ISO texts.
    """

    source: str
    file: str
    line: Callable[[str, str, str, str], str]
    header: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = "\t"
    iso: bool = False

    def row(self, user: str = "ann", item: str = "t1", time: str | None = None) -> str:
        """Make one line; ``time`` goes into the format's time field as it is."""
        iso, seconds = ("2009-05-04T23:08:57Z", "1241478537") if time is None else (time, time)
        return self.line(user, item, iso, seconds)

    def text(self) -> str:
        """Return the plays as a file."""
        rows = [self.line(user, item, iso, str(seconds)) for user, item, iso, seconds in PLAYS]
        return "".join(f"{line}\n" for line in ([self.header] if self.header else []) + rows)


def _listen(user: str, item: str, iso: str, seconds: str) -> str:
    try:
        time: Any = int(seconds)
    except ValueError:
        time = seconds
    names = {"artist_name": "A", "track_name": f"{item} song", "mbid_mapping": {"recording_mbid": item}}
    return json.dumps({"listened_at": time, "user_name": user, "track_metadata": names}, ensure_ascii=False)


DUMPS = [
    Dump(
        "lastfm1k",
        "userid-timestamp-artid-artname-traid-traname.tsv",
        lambda user, item, iso, seconds: f"{user}\t{iso}\ta\tA\t{item}\t{item} song",
        iso=True,
    ),
    Dump(
        "yandex",
        "user_events",
        lambda user, item, iso, seconds: f"{user},track,{item},play,{seconds}",
        "user_id,item_type,item_id,event,timestamp",
        delimiter=",",
    ),
    Dump(
        "music4all_onion",
        "userid_trackid_timestamp.tsv",
        lambda user, item, iso, seconds: f"{user}\t{item}\t{iso.replace('T', ' ').replace('Z', '')}",
        "user_id\ttrack_id\ttimestamp",
        iso=True,
    ),
    Dump(
        "lfm1b",
        "LFM-1b_LEs.txt",
        lambda user, item, iso, seconds: f"{user}\tar\tal\t{item}\t{seconds}",
    ),
    Dump("listenbrainz", "1.listens", _listen, delimiter=""),
    Dump(
        "table",
        "plays.csv",
        lambda user, item, iso, seconds: f"x,{item},{user},{iso}",
        "extra,song,who,when",
        {"user": "who", "item": "song", "time": "when"},
        ",",
        iso=True,
    ),
    Dump(
        "table",
        "plays.tsv",
        lambda user, item, iso, seconds: f"{user}\t{item}\t{seconds}",
        "who\tsong\twhen",
        {"user": "who", "item": "song", "time": "when"},
    ),
]
"""The text formats."""


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstd(data),
}


def zstd(data: bytes) -> bytes:
    """Pack as a Zstandard stream."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(data)
    return packed.getvalue().to_pybytes()


def tar_gz(files: dict[str, bytes]) -> bytes:
    """Pack files into an archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def write(folder: Path, dump: Dump, text: str | bytes | None = None) -> Path:
    """Write the dump, or another text instead."""
    data = dump.text() if text is None else text
    path = folder / dump.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path


def convert(path: Path, dump: Dump, out: Path, *arguments: object) -> int:
    """Run the command line; the data set is called x."""
    options = [f"--{name}={value}" for name, value in dump.options.items()]
    return main([str(part) for part in (dump.source, path, out, "--name", "x", *options, *arguments)])


def inter(out: Path) -> list[str]:
    return (out / "x" / "x.inter").read_text(encoding="utf-8").splitlines()[1:]


every_dump = pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: f"{dump.source}-{dump.file}")


def batches_of(events: list, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield events, tuples in the order of the schema, as record batches."""
    for begin in range(0, len(events), batch_rows):
        columns = zip(*events[begin : begin + batch_rows])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENTS)]
        yield pa.RecordBatch.from_arrays(arrays, schema=EVENTS)


def ordered(store: EventStore, **settings: object) -> list:
    """Return all events as tuples, in the order in which they are written."""
    users, items = store.names("user").to_pylist(), store.names("item").to_pylist()
    rows = []
    for group in store.groups(**settings):
        plays = in_order(group)
        columns = (plays.user, plays.item, plays.time_us, plays.rating)
        rows += [(users[u], items[i], t, r) for u, i, t, r in zip(*(column.tolist() for column in columns))]
    return rows
