"""Read ids of users and titles of items from the files people keep them in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from recbole_popaware.data.reader import read_columns, read_header
from recbole_popaware.errors import UsageError
from recbole_popaware.recommend.options import existing_file

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
    if path.suffix in (".parquet", ".csv"):
        named = _read_texts(path, [USER])[USER].dropna().tolist()
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"users file {path} is not utf-8 text ({error.reason})") from error
        named = [line for line in lines if line.strip()]
    users = list(dict.fromkeys(named))
    if not users:
        raise UsageError(f"users file {path} names nobody")
    if len(users) < len(named):
        logger.warning("%s: %d users are named again and get one list", path, len(named) - len(users))
    return users


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
    names = _column_names(path)
    if column is None:
        column = next((name for name in _TITLES if name in names), None)
    if ITEM not in names or column not in names:
        raise UsageError(
            f"item file {path} needs the column {ITEM} and one of titles (say which), but has "
            f"{', '.join(names)}"
        )
    frame = _read_texts(path, [ITEM, column]).dropna().drop_duplicates(ITEM)
    found = frame.set_index(ITEM)[column].reindex(np.asarray(items, dtype=object))
    missing = int(found.iloc[1:].isna().sum())
    if missing:
        logger.warning("%s: %d of %d items have no title", path, missing, len(items) - 1)
    return pa.Array.from_pandas(found, type=pa.string())


def _column_names(path: Path) -> list[str]:
    try:
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names)
        if path.suffix == ".csv":
            with pa_csv.open_csv(path) as reader:
                return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return list(read_header(os.fspath(path), "\t", "utf-8"))


def _read_texts(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read columns as text: ``007`` stays ``007``, and empty places are missing."""
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path, columns=columns)
        elif path.suffix == ".csv":
            kept = pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=columns,
                strings_can_be_null=True,
                null_values=[""],
            )
            table = pa_csv.read_csv(path, convert_options=kept)
        else:
            frame = read_columns(
                os.fspath(path), read_header(os.fspath(path), "\t", "utf-8"), columns, "\t", "utf-8"
            )
            return frame.astype(object)
        missing = [column for column in columns if column not in table.column_names]
        if missing:
            raise UsageError(f"{path} lacks the column {missing[0]}")
        texts = [table[column].cast(pa.string()) for column in columns]
    except (pa.ArrowException, KeyError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return pa.table(texts, names=columns).to_pandas().astype(object)
