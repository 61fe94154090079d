"""Source ``yandex``: the events of Yandex Music Event 2019."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import keep
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.readers import read_texts
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.delimited import Dialect
from dataset_converters.reading.line_log import LineForm, open_line_log
from dataset_converters.reading.ratings import EventRatings, rate_events
from dataset_converters.reading.times import parse_times

_FORM = LineForm(
    ("user_events", "user_events.csv", "data.tar"), Dialect(columns=5, delimiter=","), header_time=4
)


@dataclass(frozen=True)
class YandexOptions:
    """How to read the file.

    Attributes:
        ratings: Rating of each event; other events are dropped.
        item_types: Types of items to keep; ids of other types than ``track`` are written with it.
    """

    ratings: EventRatings = field(default_factory=EVENT_RATINGS.copy)
    item_types: Annotated[
        tuple[str, ...], Option(read_texts, "types of items to keep; default: track", "TYPE,...")
    ] = ("track",)


def read_events(raw: Path, options: YandexOptions, ledger: Ledger) -> RawLog:
    """Open ``user_events``, plain or packed, or the archive that it comes in.

    Args:
        raw: The file, ``data.tar.gz``, or a folder with either.
        options: What to keep.
        ledger: Counts lines.

    Returns:
        Events in the order of the file.

    Raises:
        ConversionError: A file is missing, cut off or no such file.
    """
    return open_line_log(raw, _FORM, partial(_events, options), ledger)


def _events(options: YandexOptions, columns: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    kind = columns[1]
    wanted = pc.is_in(kind, value_set=pa.array(options.item_types, pa.string()))
    for entry in pc.value_counts(kind.filter(pc.invert(wanted))).to_pylist():
        ledger.drop(f"item type {entry['values'][:40] or 'missing'} not among --item-types", entry["counts"])
    user, kind, item, event, time = (keep(column, wanted) for column in columns)
    ratings, known = rate_events(event, options.ratings, ledger)
    if options.item_types != ("track",):
        item = pc.if_else(pc.equal(kind, "track"), item, pc.binary_join_element_wise(kind, item, "-"))
    return keep(events_batch(user, item, parse_times(time, "s"), ratings), known)


SOURCE = Source(
    "Yandex Music Event 2019", "user_events, data.tar.gz, or the folder", YandexOptions, read_events
)
