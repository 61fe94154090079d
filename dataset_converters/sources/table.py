"""Source ``table``: any CSV, TSV or parquet file, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import as_texts, keep
from dataset_converters.common.errors import ConversionError, listing
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.progress import Progress, read_each
from dataset_converters.common.readers import read_switch, read_text
from dataset_converters.common.schema import EVENT_RATINGS, RawLog, events_batch
from dataset_converters.common.source import Source
from dataset_converters.reading.column_types import check_type
from dataset_converters.reading.delimited import Dialect, read_delimited, split_fields, split_header
from dataset_converters.reading.locate import list_files
from dataset_converters.reading.parquet_files import decode_rows, naming, parquet_schema, read_rows
from dataset_converters.reading.ratings import EventRatings, rate_events
from dataset_converters.reading.streams import RawFile, line_blocks
from dataset_converters.reading.time_patterns import check_form
from dataset_converters.reading.times import column_times

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")

_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_ROWS = 500_000


def _read_delimiter(value: object) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(read_text(value), read_text(value))
    if len(character) != 1 or not character.isascii() or character in '\r\n"':
        raise ValueError("need one ASCII character, or 'tab'")
    return character


@dataclass(frozen=True)
class TableOptions:
    """How to read the files.

    Attributes:
        user: Column of the user.
        item: Column of the item.
        time: Column of the time.
        event: Column of the event, looked up in ``ratings``.
        rating: Column of the rating, a number. Without either every row is a play.
        time_format: As ``times.parse_times`` takes it.
        ratings: Rating of each event.
        delimiter: Between fields; ``None``: comma in ``.csv``, tab otherwise.
        newest_first: Whether of two events at one time the files have the later one first.
    """

    user: Annotated[str, Option(read_text, "column of the user", "COLUMN")]
    item: Annotated[str, Option(read_text, "column of the item", "COLUMN")]
    time: Annotated[str, Option(read_text, "column of the time", "COLUMN")]
    event: Annotated[
        str | None, Option(read_text, "column of the event, see --ratings; default: all are plays", "COLUMN")
    ] = None
    rating: Annotated[str | None, Option(read_text, "column of the rating, a number", "COLUMN")] = None
    time_format: Annotated[
        str,
        Option(
            read_text,
            "iso, s, ms, us, ns, auto (seconds or ISO) or a strptime pattern such as "
            "'%d.%m.%Y %H:%M'; UTC unless the text names a zone",
            "FORMAT",
        ),
    ] = "auto"
    ratings: EventRatings = field(default_factory=EVENT_RATINGS.copy)
    delimiter: Annotated[
        str | None, Option(_read_delimiter, "default: comma in .csv, tab otherwise", "CHARACTER")
    ] = None
    newest_first: Annotated[bool, Option(read_switch, "of plays at one time the later is first")] = False

    def columns(self) -> dict[str, str]:
        """Return the option and the name of each column to read."""
        names = {"user": self.user, "item": self.item, "time": self.time}
        more = {"event": self.event, "rating": self.rating}
        return {**names, **{option: name for option, name in more.items() if name is not None}}


def read_events(raw: Path, options: TableOptions, ledger: Ledger) -> RawLog:
    """Open the file, or all files of the folder in the order of their names.

    Args:
        raw: File or folder; CSV and TSV plain or packed, with a header line.
        options: How to read it.
        ledger: Counts rows.

    Returns:
        Events in the order of the files.

    Raises:
        ConversionError: A file is missing, damaged or lacks a column; or the options exclude each
            other.
    """
    _check_options(options)
    progress = Progress()
    batches = read_each(list_files(raw, SUFFIXES, ledger), partial(_batches, options, ledger), progress)
    return RawLog(batches, newest_first=options.newest_first, progress=progress)


def _check_options(options: TableOptions) -> None:
    if options.event and options.rating:
        raise ConversionError(
            "--event and --rating exclude each other: give the one that says how much a play is worth"
        )
    first: dict[str, str] = {}
    for option, name in options.columns().items():
        if name in first:
            raise ConversionError(
                f"--{first[name]} and --{option} both name the column {name!r}: give each a column of its own"
            )
        first[name] = option
    check_form(options.time_format)


def _batches(
    options: TableOptions, ledger: Ledger, path: Path, progress: Progress
) -> Iterator[pa.RecordBatch]:
    read = _parquet_events if path.suffix.lower() == ".parquet" else _text_events
    return read(path, options, progress, ledger)


def _parquet_events(
    path: Path, options: TableOptions, progress: Progress, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    schema = parquet_schema(path)
    _column_indices(schema.names, options, path)
    names = options.columns()
    for option, name in names.items():
        check_type(path.name, option, name, schema.field(name).type)
    for batch in read_rows(path, list(names.values()), _ROWS, progress):
        ledger.read(batch.num_rows)
        columns = {option: batch.column(name) for option, name in names.items()}
        with naming(path):
            events = _events(options, list(decode_rows(columns, ledger).values()), ledger)
        yield events


def _text_events(
    path: Path, options: TableOptions, progress: Progress, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    delimiter = options.delimiter or ("," if ".csv" in path.name.lower() else "\t")
    quoted = delimiter != "\t"
    with RawFile(path, progress) as stream:
        header, blocks = split_header(line_blocks(stream, path.name), ledger)
        if not header:
            ledger.note("files without a line", 1)
            return
        names = split_fields(header, delimiter, quoted, path.name)
        dialect = Dialect(len(names), delimiter, quoted)
        to_events = partial(_events, options)
        yield from read_delimited(blocks, dialect, _column_indices(names, options, path), to_events, ledger)


def _column_indices(names: list[str], options: TableOptions, path: Path) -> list[int]:
    """Return the index of each column to read, which must be there once."""
    for option, name in options.columns().items():
        if names.count(name) != 1:
            fault = "more than one column" if name in names else "no column"
            raise ConversionError(
                f"{path.name} has {fault} {name!r}; it has {listing(names)}; say which with --{option}"
            )
    return [names.index(name) for name in options.columns().values()]


def _events(options: TableOptions, values: list[pa.Array], ledger: Ledger) -> pa.RecordBatch:
    columns = dict(zip(options.columns(), values))
    rows = len(columns["user"])
    known = pa.repeat(True, rows)
    if "event" in columns:
        ratings, known = rate_events(as_texts(columns["event"]), options.ratings, ledger)
    elif "rating" in columns:
        ratings = _numbers(columns["rating"])
    else:
        ratings = pa.repeat(EVENT_RATINGS["play"], rows)
    times = column_times(columns["time"], options.time_format)
    return keep(events_batch(as_texts(columns["user"]), as_texts(columns["item"]), times, ratings), known)


def _numbers(column: pa.Array) -> pa.Array:
    """Return a column as floats, null where it has no number."""
    if not pa.types.is_string(column.type):
        return column.cast(pa.float64())
    number = pc.match_substring_regex(column, _NUMBER)
    texts = pc.if_else(number, pc.utf8_trim_whitespace(column), pa.scalar(None, pa.string()))
    return texts.cast(pa.float64())


SOURCE = Source("any CSV, TSV or parquet file", "file, or folder of files", TableOptions, read_events)
