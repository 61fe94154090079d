"""Source ``lastfm1k``: the plays and the profiles of Last.fm-1K."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import count_true, is_blank, keep
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.progress import Progress
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.delimited import Dialect, read_delimited
from dataset_converters.reading.locate import find_raw, open_members
from dataset_converters.reading.streams import RawFile, is_there, line_blocks
from dataset_converters.reading.times import parse_times
from dataset_converters.sources.item_key import ItemKeyOptions

PLAYS = "userid-timestamp-artid-artname-traid-traname.tsv"
PROFILES = "userid-profile.tsv"

_PLAY = Dialect(columns=6)
_PROFILE = Dialect(columns=5)


def read_events(raw: Path, options: ItemKeyOptions, ledger: Ledger) -> RawLog:
    """Open the TSV, plain or packed, or the archive that it comes in.

    Args:
        raw: The TSV, ``lastfm-dataset-1K.tar.gz``, or a folder with either.
        options: How to name items.
        ledger: Counts lines.

    Returns:
        Events in the order of the file, which is newest first; profiles where they are at hand.

    Raises:
        ConversionError: A file is missing, cut off or no such file.
    """
    path = find_raw(raw, (PLAYS, "lastfm-dataset-1K.tar"))
    reader = _Reader(path, options, ledger)
    return RawLog(reader.batches(), users=reader.users, newest_first=True, progress=reader.progress)


class _Reader:
    """One pass over the plays, and over the profiles where they come."""

    def __init__(self, path: Path, options: ItemKeyOptions, ledger: Ledger) -> None:
        self.progress = Progress()
        self._path, self._options, self._ledger = path, options, ledger
        self._profiles: pa.Table | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the events, and read the profiles in the archive or in the file beside the plays."""
        to_events = partial(_events, self._options)
        for name, stream in open_members(self._path, (PLAYS, PROFILES), self.progress):
            if name == PROFILES:
                self._profiles = _read_profiles(stream, self._ledger)
            else:
                blocks = line_blocks(stream, self._path.name)
                yield from read_delimited(blocks, _PLAY, range(_PLAY.columns), to_events, self._ledger)
        beside = self._path.parent / PROFILES
        if self._profiles is None and is_there(beside):
            with RawFile(beside, Progress()) as stream:
                self._profiles = _read_profiles(stream, self._ledger)

    def users(self) -> pa.Table | None:
        """Return the profiles, once ``batches`` are consumed."""
        return self._profiles


def _events(options: ItemKeyOptions, columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    user, time, artist_id, artist, track_id, track = columns
    without_mbid = "no MusicBrainz id of the track (--item-key name keeps such plays)"
    item, reason = options.name_items(track_id, artist, track, without_mbid)
    unnamed = is_blank(item)
    rating = pa.repeat(EVENT_RATINGS["play"], len(user))
    times = parse_times(time, "iso")
    batch = events_batch(user, item, times, rating, artist=artist, track=track, artist_id=artist_id)
    ledger.drop(reason, count_true(unnamed))
    return keep(batch, pc.invert(unnamed))


def _read_profiles(stream: Any, ledger: Ledger) -> pa.Table:
    """Read user, gender, age, country and day of signing up; the header begins with ``#``."""
    names = ("user_id", "gender", "age", "country", "signup")
    texts = pa.schema([(name, pa.string()) for name in names])
    blocks = line_blocks(stream, PROFILES)

    def to_batch(columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(columns, schema=texts)

    with Ledger() as own:
        batches = list(read_delimited(blocks, _PROFILE, range(len(names)), to_batch, own))
        ledger.note(f"lines of {PROFILES} that cannot be read", sum(own.dropped.values()))
    table = pa.Table.from_batches(batches, texts)
    table = table.filter(pc.invert(pc.starts_with(table["user_id"], "#")))
    age = table["age"]
    ages = pc.if_else(pc.match_substring_regex(age, r"^[0-9]{1,3}$"), age, pa.scalar(None, pa.string()))
    return table.set_column(2, "age", ages.cast(pa.int64()))


SOURCE = Source("Last.fm-1K", "TSV, archive, or folder with it", ItemKeyOptions, read_events)
