"""Source ``music4all_onion``: the listening records of Music4All-Onion."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import NoOptions
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.delimited import Dialect
from dataset_converters.reading.line_log import LineForm, open_line_log
from dataset_converters.reading.times import parse_times

_FORM = LineForm(("userid_trackid_timestamp.tsv",), Dialect(columns=3), header_time=2)


def read_events(raw: Path, options: NoOptions, ledger: Ledger) -> RawLog:
    """Open ``userid_trackid_timestamp.tsv``, plain or packed; the times are taken for UTC.

    Args:
        raw: The file, or a folder with it.
        options: There are none.
        ledger: Counts lines.

    Returns:
        Events in the order of the file, every one a play.

    Raises:
        ConversionError: The file is missing, cut off or no such file.
    """
    return open_line_log(raw, _FORM, _events, ledger)


def _events(columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    user, item, time = columns
    return events_batch(user, item, parse_times(time, "iso"), pa.repeat(EVENT_RATINGS["play"], len(user)))


SOURCE = Source("Music4All-Onion", "userid_trackid_timestamp.tsv.bz2, or its folder", NoOptions, read_events)
