"""Source ``music4all_onion``: the listening records of Music4All-Onion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dataset_converters.delimited import Dialect, check_header, read_delimited, split_header
from dataset_converters.ledger import Ledger
from dataset_converters.locate import find_raw, open_members
from dataset_converters.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.streams import line_blocks
from dataset_converters.times import parse_times

FILE = "userid_trackid_timestamp.tsv"

_DIALECT = Dialect(columns=3)


def read_events(raw: Path, ledger: Ledger) -> RawLog:
    """Open ``userid_trackid_timestamp.tsv``, plain or packed; the times are taken for UTC.

    Args:
        raw: The file, or a folder with it.
        ledger: Counts lines.

    Returns:
        Events in the order of the file, every one a play.

    Raises:
        ConversionError: The file is missing, cut off or no such file.
    """
    path = find_raw(raw, (FILE,))
    log = RawLog(())
    log.batches = _batches(path, log, ledger)
    return log


def _batches(path: Path, log: RawLog, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    for _, stream in open_members(path, (FILE,), log.progress):
        header, blocks = split_header(line_blocks(stream, path.name))
        check_header(header, _DIALECT, 2, path.name)
        for user, item, time in read_delimited(blocks, _DIALECT, range(3), ledger):
            rating = pa.repeat(EVENT_RATINGS["play"], len(user))
            yield events_batch(user, item, parse_times(time, "iso"), rating)
