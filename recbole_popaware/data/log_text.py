"""Read the text of a log, an ``.inter`` file, as the columns that are stored in binary form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from recbole_popaware.data.reader import LARGEST
from recbole_popaware.plays.log_file import StoredLog, narrow, numbers_by_appearance, with_padding
from recbole_popaware.plays.ordered import exact_order

SEPARATOR, ENCODING = "\t", "utf-8"
_BLOCK = 1 << 25  # bytes of text at once


class IrregularTextError(ValueError):
    """A text with a row that lacks something, which RecBole's reader drops, fills or refuses."""


class _Numbers:
    """The numbers of ids from 1, in the order in which they appear."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}

    def __len__(self) -> int:
        return 1 + len(self._number_of)

    def of(self, column: pa.DictionaryArray) -> np.ndarray:
        known = self._number_of
        table = [known.setdefault(token, len(known) + 1) for token in column.dictionary.to_pylist()]
        return np.array(table, dtype=np.int32)[column.indices.to_numpy()]

    def ids(self) -> pa.Array:
        return with_padding(self._number_of)


def read_log(file: Path, fields: dict[str, str], names: tuple[str, ...]) -> StoredLog:
    """Read a log and put its plays in order.

    Args:
        file: An ``.inter`` file of UTF-8, separated by tabs.
        fields: Its header, from :func:`~.reader.read_header`.
        names: Its fields of the user, the item, the time and, if it has one, the rating.

    Raises:
        IrregularTextError: A row has too few or too many columns or an empty one, or a number that is none.
    """
    users, items = _Numbers(), _Numbers()
    columns: list[list[np.ndarray]] = [[] for _ in names]
    try:
        for batch in _batches(file, fields, names):
            user, item, *numbers = batch.columns
            if any(column.null_count for column in batch.columns) or not all(map(_fit, numbers)):
                raise IrregularTextError(f"{file} has empty fields, or numbers out of range")
            values = (users.of(user), items.of(item), *(column.to_numpy() for column in numbers))
            for column, more in zip(columns, values):
                column.append(more)
    except (pa.ArrowException, OSError) as error:
        raise IrregularTextError(str(error)) from error
    if not columns[0]:
        raise IrregularTextError(f"{file} has no rows")
    of_users, of_items, *numbers = (_joined(column) for column in columns)
    return _ordered((of_users, of_items), [narrow(column) for column in numbers], (users, items), names)


def _batches(file: Path, fields: dict[str, str], names: tuple[str, ...]) -> csv.CSVStreamingReader:
    columns = [f"{name}:{fields[name]}" for name in names]
    tokens = pa.dictionary(pa.int32(), pa.string())
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
        parse_options=csv.ParseOptions(delimiter=SEPARATOR, quote_char=False),
        convert_options=csv.ConvertOptions(
            column_types={column: pa.float64() if n > 1 else tokens for n, column in enumerate(columns)},
            include_columns=columns,
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def _fit(numbers: pa.Array) -> bool:
    return bool(pc.all(pc.less_equal(pc.abs(numbers), LARGEST)).as_py())  # false for NaN


def _joined(blocks: list[np.ndarray]) -> np.ndarray:
    joined = np.concatenate(blocks)
    blocks.clear()
    return joined


def _ordered(
    codes: tuple[np.ndarray, np.ndarray],
    numbers: list[np.ndarray],
    of: tuple[_Numbers, _Numbers],
    names: tuple[str, ...],
) -> StoredLog:
    users, items = codes
    times, *ratings = numbers
    renumbered = None
    if ratings and bool((ratings[0] <= 0).any()):
        rows = np.flatnonzero(ratings[0] > 0)
        of_users, of_items = (
            numbers_by_appearance(_first_rows(column[rows], len(ids)), -1) for column, ids in zip(codes, of)
        )
        renumbered = of_users, of_items
    starts = np.concatenate([[0], np.bincount(users, minlength=len(of[0])).cumsum()])
    if not _in_order(users, times):
        order = exact_order(users, times)
        items, times, *ratings = (column[order] for column in (items, times, *ratings))
    ids = of[0].ids(), of[1].ids()
    return StoredLog(names, *ids, starts, items, times, ratings[0] if ratings else None, renumbered)


def _in_order(users: np.ndarray, times: np.ndarray) -> bool:
    later = users[1:] > users[:-1]
    return bool((later | ((users[1:] == users[:-1]) & (times[1:] >= times[:-1]))).all())


def _first_rows(codes: np.ndarray, count: int) -> np.ndarray:
    """First row of each code, -1 for those without any."""
    first = np.full(count, -1, np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first
