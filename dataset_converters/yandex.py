"""Source ``yandex``: the events of Yandex Music Event 2019."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.delimited import Dialect, check_header, read_delimited, split_header
from dataset_converters.ledger import Ledger
from dataset_converters.locate import find_raw, open_members
from dataset_converters.ratings import rate_events
from dataset_converters.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.streams import line_blocks
from dataset_converters.times import parse_times

FILE = "user_events"

_DIALECT = Dialect(columns=5, delimiter=",")


@dataclass(frozen=True)
class YandexOptions:
    """How to read the file.

    Attributes:
        ratings: Rating of each event; other events are dropped.
        item_types: Types of items to keep; ids of other types than ``track`` are written with it.
    """

    ratings: dict[str, float] = field(default_factory=lambda: dict(EVENT_RATINGS))
    item_types: tuple[str, ...] = ("track",)


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
    path = find_raw(raw, (FILE, f"{FILE}.csv", "data.tar"))
    log = RawLog(())
    log.batches = _batches(path, options, log, ledger)
    return log


def _batches(path: Path, options: YandexOptions, log: RawLog, ledger: Ledger) -> Iterator[pa.RecordBatch]:
    for _, stream in open_members(path, (FILE,), log.progress):
        header, blocks = split_header(line_blocks(stream, path.name))
        check_header(header, _DIALECT, 4, path.name)
        for columns in read_delimited(blocks, _DIALECT, range(5), ledger):
            yield _events(columns, options, ledger)


def _events(columns: list[pa.Array], options: YandexOptions, ledger: Ledger) -> pa.RecordBatch:
    user, kind, item, event, time = columns
    wanted = pc.is_in(kind, value_set=pa.array(options.item_types, pa.string()))
    for entry in pc.value_counts(kind.filter(pc.invert(wanted))).to_pylist():
        ledger.drop(f"item type {entry['values'][:40] or 'missing'} not among --item-types", entry["counts"])
    user, kind, item, event, time = (column.filter(wanted) for column in columns)
    ratings, known = rate_events(event, options.ratings, ledger)
    named = pc.if_else(pc.equal(kind, "track"), item, pc.binary_join_element_wise(kind, item, "-"))
    return events_batch(user, named, parse_times(time, "s"), ratings).filter(known)
