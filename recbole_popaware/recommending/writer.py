"""Write tables one after another into one file: all of them or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recbole_popaware.errors import UsageError
from recbole_popaware.files import check_file, check_folder, replacing

_ROW_GROUP = 1 << 17

Tables = Iterable[pa.Table]


def write(path: Path, schema: pa.Schema, tables: Tables) -> None:
    """Write a file in the format of its ending; an earlier one is replaced at the end, in one step.

    Args:
        path: The file, checked by :func:`check_output`.
        schema: Columns of every table.
        tables: Rows in their order; only some of them are in memory at a time.

    Raises:
        UsageError: If the file cannot be written; nothing is left then.
    """
    with replacing(path) as part, part.open("wb") as file:
        _FORMATS[path.suffix](file, schema, tables)


def check_output(path: Path, inputs: Iterable[str | os.PathLike[str] | None] = ()) -> None:
    """Check a file's ending and folder, before any work is done for it.

    Args:
        path: The file that is to be written, or without an ending a folder, which is made.
        inputs: Files that are read, which it must not replace; ``None`` is ignored.

    Raises:
        UsageError: If it cannot be written.
    """
    if is_folder(path):
        check_folder(path, "output")
    elif path.suffix in _FORMATS:
        check_file(path, "output")
    else:
        raise UsageError(f"output [{path}] must end in {', '.join(_FORMATS)}, or be a folder")
    for file in inputs:
        if file is not None and os.path.realpath(file) == os.path.realpath(path):
            raise UsageError(f"output [{path}] is a file that is read; name another")


def is_folder(path: Path) -> bool:
    """Whether an output is a folder: it has no ending, or another one than files and is there."""
    return not path.suffix or (path.suffix not in _FORMATS and path.is_dir())


def _write_parquet(file: Any, schema: pa.Schema, tables: Tables) -> None:
    with pq.ParquetWriter(file, schema) as writer:
        group: list[pa.Table] = []
        for table in tables:
            group.append(table)
            if sum(map(len, group)) >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(group))
                group.clear()
        if group:
            writer.write_table(pa.concat_tables(group))


def _write_csv(file: Any, schema: pa.Schema, tables: Tables) -> None:
    with pa_csv.CSVWriter(file, schema) as writer:
        for table in tables:
            writer.write_table(table)


def _write_json_lines(file: Any, schema: pa.Schema, tables: Tables) -> None:
    for table in tables:
        rows = pa.table([_plain(column) for column in table.columns], names=schema.names).to_pylist()
        file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # 0.1 in 32 bits is to be written as 0.1 and not with the 17 digits it has in 64.
    return column.cast(pa.string()).cast(pa.float64()) if column.type == pa.float32() else column


_FORMATS: dict[str, Callable[[Any, pa.Schema, Tables], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
}
