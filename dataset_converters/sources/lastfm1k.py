"""Source ``lastfm1k``: the plays and the profiles of Last.fm-1K."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import count_true, is_blank, join_names, keep
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import EVENT_RATINGS, Progress, RawLog, events_batch
from dataset_converters.reading.delimited import Dialect, read_delimited
from dataset_converters.reading.locate import find_raw, open_members
from dataset_converters.reading.streams import is_there, line_blocks
from dataset_converters.reading.times import parse_times

PLAYS = "userid-timestamp-artid-artname-traid-traname.tsv"
PROFILES = "userid-profile.tsv"
ITEM_KEYS = ("mbid", "name")

_PLAY = Dialect(columns=6)
_PROFILE = Dialect(columns=5)


def read_events(raw: Path, item_key: str, ledger: Ledger) -> RawLog:
    """Open the TSV, plain or packed, or the archive that it comes in.

    Args:
        raw: The TSV, ``lastfm-dataset-1K.tar.gz``, or a folder with either.
        item_key: ``mbid`` names items by the track's MusicBrainz id and drops plays without one;
            ``name`` names them "artist – track".
        ledger: Counts lines.

    Returns:
        Events in the order of the file, which is newest first; profiles where they are at hand.

    Raises:
        ConversionError: A file is missing, cut off or no such file.
    """
    path = find_raw(raw, (PLAYS, "lastfm-dataset-1K.tar"))
    log = RawLog((), newest_first=True)
    log.batches = _batches(path, item_key, log, ledger)
    return log


def _batches(path: Path, item_key: str, log: RawLog, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    for name, stream in open_members(path, (PLAYS, PROFILES), log.progress):
        if name == PROFILES:
            log.users = _read_profiles(stream, ledger)
            continue
        blocks = line_blocks(stream, path.name)
        yield from read_delimited(blocks, _PLAY, range(_PLAY.columns), partial(_events, item_key), ledger)
    profiles = path.parent / PROFILES
    if log.users is None and is_there(profiles):
        for _, stream in open_members(profiles, (PROFILES,), Progress()):
            log.users = _read_profiles(stream, ledger)


def _events(item_key: str, columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    user, time, artist_id, artist, track_id, track = columns
    if item_key == "mbid":
        item = track_id
        unnamed = is_blank(track_id)
        reason = "no MusicBrainz id of the track (--item-key name keeps such plays)"
    else:
        item = join_names(artist, track)
        unnamed = pc.is_null(item)
        reason = "no name of the artist or the track"
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
