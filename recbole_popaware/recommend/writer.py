"""Write tables one after another into one file: all of them or nothing."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recbole_popaware.errors import UsageError

_ROW_GROUP = 1 << 17

Tables = Iterable[pa.Table]


def write(path: Path, schema: pa.Schema, tables: Tables) -> None:
    """Write a file in the format of its ending; an earlier one is replaced at the end, in one step.

    Args:
        path: The file, checked by :func:`check_output`.
        schema: Columns of every table.
        tables: Rows in their order; only some of them are held at a time.

    Raises:
        UsageError: If the file cannot be written; nothing is left then.
    """
    try:
        with _replaced_at_the_end(path) as file:
            _FORMATS[path.suffix](file, schema, tables)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}") from error


def check_output(path: Path, inputs: Iterable[str | os.PathLike[str] | None] = ()) -> None:
    """Check a file's ending and folder, before any work is done for it.

    Args:
        path: The file that is to be written.
        inputs: Files that are read, which it must not replace; ``None`` stands for one that is not given.

    Raises:
        UsageError: If it cannot be written.
    """
    if path.suffix not in _FORMATS:
        raise UsageError(f"output [{path}] must end in {', '.join(_FORMATS)}")
    try:
        _check_way(path, inputs)
        with _unfinished(path):
            pass
    except UsageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise UsageError(f"output [{path}] cannot be written: {error}") from error


def _check_way(path: Path, inputs: Iterable[str | os.PathLike[str] | None]) -> None:
    if path.is_dir():
        raise UsageError(f"output [{path}] is a folder; name a file")
    if path.exists() and not path.is_file():
        raise UsageError(f"output [{path}] is no file, but a device or the like")
    if not _real(path).parent.is_dir():
        raise UsageError(f"output [{path}]: the folder {_real(path).parent} is not there")
    for file in inputs:
        if file is not None and _real(file) == _real(path):
            raise UsageError(f"output [{path}] is a file that is read; name another")


def _real(file: str | os.PathLike[str]) -> Path:
    """The file that a name leads to; links stay what they are, and the file behind them is replaced."""
    return Path(os.path.realpath(file))


@contextmanager
def _replaced_at_the_end(path: Path) -> Iterator[Any]:
    with _unfinished(path) as file:
        yield file
        file.flush()
        Path(file.name).replace(_real(path))


@contextmanager
def _unfinished(path: Path) -> Iterator[Any]:
    """A new file beside ``path``, gone at the end; and gone are those of processes that were killed."""
    path = _real(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        _remove_unless_locked(left)
    with _create_locked(path) as opened:
        try:
            yield opened
        finally:
            Path(opened.name).unlink(missing_ok=True)


def _create_locked(path: Path) -> Any:
    while True:
        name = f".{path.name}.{secrets.token_hex(4)}.part"
        file = Path(path.parent, name).open("xb")  # noqa: SIM115  # the caller closes it
        with suppress(OSError):  # a file system without locks, where nothing is ever removed
            fcntl.flock(file, fcntl.LOCK_EX)  # as long as this process lives
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for a leftover, just before it was locked


def _remove_unless_locked(file: Path) -> None:
    with suppress(OSError), file.open("r+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()


def _write_parquet(file: Any, schema: pa.Schema, tables: Tables) -> None:
    with pq.ParquetWriter(file, schema) as writer:
        held: list[pa.Table] = []
        for table in tables:
            held.append(table)
            if sum(map(len, held)) >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(held))
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held))


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
