"""Read plays from where people keep them: an atomic ``.inter`` file, a parquet file, or a folder of those."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recbole_popaware.data.reader import LARGEST, check_types, explained, read_columns, read_header
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.columns import complaints_of
from recbole_popaware.recommending.options import existing_file

PARQUET = ".parquet"


def files_of(history: str | os.PathLike[str]) -> list[Path]:
    """The files of a history: itself, or the parquet files of a folder by name.

    Raises:
        UsageError: If it is not there, or a folder without any.
    """
    folder = Path(history)
    if not os.path.isdir(folder):  # noqa: PTH112  # Path.is_dir() raises where a name is too long
        return [existing_file(history, "history")]
    hidden = (".", "_")  # what engines write beside the parts
    files = sorted(f for f in folder.rglob(f"*{PARQUET}") if f.is_file() and not f.name.startswith(hidden))
    filled = [file for file in files if _n_rows(file)]
    if not filled:
        raise UsageError(f"history {folder} is a folder of {len(files)} {PARQUET} files without a play")
    return filled


def _n_rows(file: Path) -> int:
    with complaints_of(file):
        n_rows: int = pq.read_metadata(file).num_rows
        return n_rows


def read_plays(files: Sequence[Path], dataset: Any) -> pd.DataFrame:
    """Read the plays of some files, of which several must be parquet.

    Args:
        files: The files.
        dataset: The data set of the training, which names the fields.

    Returns:
        Columns of users and items as categories, times in seconds, and ratings where there are some.

    Raises:
        UsageError: If a file lacks a column, cannot be read, or holds a time that is none.
    """
    if len(files) == 1 and files[0].suffix.lower() != PARQUET:
        return _read_atomic(files[0], dataset)
    tables = [_read_parquet(file, dataset) for file in files]
    table = pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    return table.to_pandas(split_blocks=True, self_destruct=True)


def _read_atomic(path: Path, dataset: Any) -> pd.DataFrame:
    separator, encoding = dataset.config["field_separator"], dataset.config["encoding"] or "utf-8"
    fields = read_header(os.fspath(path), separator, encoding)
    wanted = {dataset.uid_field: "token", dataset.iid_field: "token", dataset.time_field: "float"}
    _check_names(path, wanted, {name: f"{name}:{kind}" for name, kind in fields.items()})
    if dataset.rating_field in fields:
        wanted[dataset.rating_field] = "float"
    check_types(os.fspath(path), fields, wanted)
    return read_columns(os.fspath(path), fields, list(wanted), separator, encoding)


def _read_parquet(path: Path, dataset: Any) -> pa.Table:
    wanted = {dataset.uid_field: "token", dataset.iid_field: "token", dataset.time_field: "float"}
    with complaints_of(path):
        types = {field.name: field.type for field in pq.read_schema(path)}
    _check_names(path, wanted, {name: name for name in types})
    if dataset.rating_field in types:
        wanted[dataset.rating_field] = "float"
    texts = [name for name, kind in wanted.items() if kind == "token" and pa.types.is_string(types[name])]
    with complaints_of(path), pq.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read(columns=list(wanted))
    columns = {}
    for name, kind in wanted.items():
        with complaints_of(path, f", column {name}"):
            columns[name] = _tokens(table[name]) if kind == "token" else _numbers(path, name, table[name])
    return pa.table(columns)


def _check_names(path: Path, wanted: Mapping[str, str], present: Mapping[str, str]) -> None:
    for name, kind in wanted.items():
        if name not in present:
            raise UsageError(
                f"history {path} needs the column [{name}:{kind}], but has "
                f"{explained(', '.join(present.values()))}"
            )


def _tokens(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as categories of text."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if not (text or pa.types.is_integer(kind)):
        raise ValueError(f"is of type {kind}, but ids are text or whole numbers")
    as_text = pa.dictionary(pa.int32(), pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.cast(as_text)
    column.validate(full=True)  # parquet may contain any bytes as text
    return column


def _numbers(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times in seconds, or ratings."""
    if pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)
    elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or len(column) == 0):
        raise ValueError(f"is of type {column.type}, but must hold numbers")
    column = column.cast(pa.float64())
    fit = pc.less_equal(pc.abs(column), LARGEST)  # false for NaN; missing where the value is
    unfit = len(column) - column.null_count - (pc.sum(fit).as_py() or 0)
    if unfit:
        raise UsageError(
            f"{path}: column [{name}]: {unfit:,} of {len(column):,} values are no finite numbers"
        )
    return column
