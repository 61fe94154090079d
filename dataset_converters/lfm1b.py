"""Source ``lfm1b``: the listening events of LFM-1b."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dataset_converters.delimited import Dialect, read_delimited
from dataset_converters.ledger import Ledger
from dataset_converters.locate import find_raw, open_members
from dataset_converters.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.streams import line_blocks
from dataset_converters.times import parse_times

FILE = "LFM-1b_LEs.txt"

_DIALECT = Dialect(columns=5)


def read_events(raw: Path, ledger: Ledger) -> RawLog:
    """Open ``LFM-1b_LEs.txt``, plain or packed: user, artist, album, track and Unix time.

    Args:
        raw: The file, or a folder with it.
        ledger: Counts lines.

    Returns:
        Events in the order of the file, every one a play of a track; its artist and album.

    Raises:
        ConversionError: The file is missing, cut off or no such file.
    """
    path = find_raw(raw, (FILE,))
    log = RawLog(())
    log.batches = _batches(path, log, ledger)
    return log


def _batches(path: Path, log: RawLog, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    for _, stream in open_members(path, (FILE,), log.progress):
        blocks = line_blocks(stream, path.name)
        for user, artist, album, track, time in read_delimited(blocks, _DIALECT, range(5), ledger):
            rating = pa.repeat(EVENT_RATINGS["play"], len(user))
            yield events_batch(user, track, parse_times(time, "s"), rating, artist=artist, album=album)
