"""Source ``lfm1b``: the listening events of LFM-1b."""

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

_FORM = LineForm(("LFM-1b_LEs.txt",), Dialect(columns=5))


def read_events(raw: Path, options: NoOptions, ledger: Ledger) -> RawLog:
    """Open ``LFM-1b_LEs.txt``, plain or packed: user, artist, album, track and Unix time.

    Args:
        raw: The file, or a folder with it.
        options: There are none.
        ledger: Counts lines.

    Returns:
        Events in the order of the file, every one a play of a track; its artist and album.

    Raises:
        ConversionError: The file is missing, cut off or no such file.
    """
    return open_line_log(raw, _FORM, _events, ledger)


def _events(columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    user, artist, album, track, time = columns
    rating = pa.repeat(EVENT_RATINGS["play"], len(user))
    return events_batch(user, track, parse_times(time, "s"), rating, artist=artist, album=album)


SOURCE = Source("LFM-1b", "LFM-1b_LEs.txt, or its folder", NoOptions, read_events)
