"""Logs that are one file of lines, every line an event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.progress import Progress
from dataset_converters.common.schema import RawLog
from dataset_converters.reading.delimited import Dialect, ToEvents, check_header, read_delimited, split_header
from dataset_converters.reading.locate import find_raw, open_members
from dataset_converters.reading.streams import line_blocks


@dataclass(frozen=True)
class LineForm:
    """What such a file looks like.

    Attributes:
        names: Its name, and others that it goes by; in an archive it has the first.
        dialect: How lines are cut.
        header_time: Index of the column of times, which a header line names; ``None`` if the file
            has no header line.
    """

    names: tuple[str, ...]
    dialect: Dialect
    header_time: int | None = None


def open_line_log(raw: Path, form: LineForm, to_events: ToEvents, ledger: Ledger) -> RawLog:
    """Open the file, plain or packed.

    Args:
        raw: The file, or a folder with it.
        form: What it looks like.
        to_events: Makes events from all columns, as in ``read_delimited``.
        ledger: Counts lines.

    Returns:
        Events in the order of the file.

    Raises:
        ConversionError: The file is missing, cut off or no such file.
    """
    path, progress = find_raw(raw, form.names), Progress()
    return RawLog(_batches(path, form, to_events, progress, ledger), progress=progress)


def _batches(
    path: Path, form: LineForm, to_events: ToEvents, progress: Progress, ledger: Ledger
) -> Iterator[pa.RecordBatch]:
    for _, stream in open_members(path, form.names[:1], progress):
        blocks = line_blocks(stream, path.name)
        if form.header_time is not None:
            header, blocks = split_header(blocks, ledger)
            check_header(header, form.dialect, form.header_time, path.name)
        yield from read_delimited(blocks, form.dialect, range(form.dialect.columns), to_events, ledger)
