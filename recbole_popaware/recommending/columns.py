"""Read ids of users and titles of items from the files people keep them in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recbole_popaware.data.reader import explained, read_header
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.options import existing_file

logger = getLogger(__name__)

USER, ITEM, TITLE = "user_id", "item_id", "title"
_TITLES = ("title", "name", "track_title", "track_name", "item_name")


def read_users(file: str | os.PathLike[str]) -> list[str]:
    """Read ids of users: one a line, or the column ``user_id`` of a CSV or parquet file.

    A user named twice is taken once.

    Raises:
        UsageError: If the file cannot be read, lacks the column or names nobody.
    """
    path = existing_file(file, "users file")
    listed = (
        _read_texts(path, [USER])[USER] if _is_table(path) else pd.Series(_read_lines(path), dtype=object)
    )
    named = listed.dropna()
    if len(named) < len(listed):
        logger.warning("%s: %d rows name nobody", path, len(listed) - len(named))
    users = list(dict.fromkeys(named))
    if not users:
        raise UsageError(f"users file {path} names nobody")
    if len(users) < len(named):
        logger.warning("%s: %d users are named again and get one list", path, len(named) - len(users))
    return users


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"users file {path} is not utf-8 text ({error.reason})") from error
    except OSError as error:
        raise UsageError(f"users file {path} cannot be read: {error}") from error
    # Not splitlines(), which also cuts ids at characters such as U+2028.
    return [line for line in text.split("\n") if line.strip()]


def read_titles(file: str | os.PathLike[str], column: str | None, items: Sequence[str]) -> pa.Array:
    """Read titles of items.

    Args:
        file: An atomic ``.item`` file, or CSV or parquet.
        column: The column of titles; ``None`` finds the one that is named like one.
        items: Ids of the catalogue, padding first.

    Returns:
        ``[n_items]`` text, missing where there is no title.

    Raises:
        UsageError: If the file cannot be read or has no such column.
    """
    path = existing_file(file, "item file")
    names = _header(path)
    if column is None:
        column = next((name for name in _TITLES if name in names), None)
    if ITEM not in names or column not in names or column == ITEM:
        raise UsageError(
            f"item file {path} needs the column {ITEM} and one of titles (say which), but has "
            f"{explained(', '.join(names))}"
        )
    listed = _read_texts(path, [ITEM, column])
    titled = listed.dropna()
    frame = titled.drop_duplicates(ITEM)
    nameless, again = int(listed[ITEM].isna().sum()), len(titled) - len(frame)
    if nameless or again:
        logger.warning("%s: %d titles without an item and %d of items named again", path, nameless, again)
    titles = frame.set_index(ITEM)[column].reindex(np.asarray(items, dtype=object))
    missing = int(titles.iloc[1:].isna().sum())
    if missing:
        logger.warning("%s: %d of %d items have no title", path, missing, len(items) - 1)
    return pa.Array.from_pandas(titles, type=pa.string())


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".csv")


def _header(path: Path) -> dict[str, str]:
    """What the file calls each of its columns, by their names without the types of atomic files."""
    if not _is_table(path):
        return {name: f"{name}:{kind}" for name, kind in read_header(os.fspath(path), "\t", "utf-8").items()}
    with complaints_of(path):
        if path.suffix.lower() == ".parquet":
            names = pq.read_schema(path).names
        else:
            with pa_csv.open_csv(path) as reader:
                names = reader.schema.names
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UsageError(f"{path}: the first line names the column {explained(twice[0])} twice; rename one")
    return {name: name for name in names}


def _read_texts(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read columns as text: ``007`` stays ``007``, and empty cells are missing."""
    header = _header(path)
    missing = [column for column in columns if column not in header]
    if missing:
        raise UsageError(f"{path} lacks the column {missing[0]}")
    named = [header[column] for column in columns]
    with complaints_of(path):
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                table = file.read(columns=named)
        else:
            table = _read_csv(path, named)
    _check_kinds(path, table)
    with complaints_of(path):
        texts = pa.table([table[name].cast(pa.string()) for name in named], names=columns)
        texts.validate(full=True)  # parquet may contain any bytes as text
        return texts.to_pandas().astype(object)


def _read_csv(path: Path, columns: list[str]) -> pa.Table:
    kept = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=columns,
        strings_can_be_null=True,
        null_values=[""],
    )
    atomic = not _is_table(path)
    layout = pa_csv.ParseOptions(delimiter="\t", quote_char=False) if atomic else None
    return pa_csv.read_csv(path, parse_options=layout, convert_options=kept)


def _check_kinds(path: Path, table: pa.Table) -> None:
    for name, kind in zip(table.column_names, table.schema.types):
        if pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or pa.types.is_nested(kind):
            raise UsageError(f"{path}: the column {name} is of type {kind}, but text or numbers are wanted")


@contextmanager
def complaints_of(path: Path, part: str = "") -> Iterator[None]:
    """Say what is wrong with a file, or a part of it, in one line."""
    try:
        yield
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise UsageError(f"{path}{part} cannot be read: {explained(str(error))}") from error
