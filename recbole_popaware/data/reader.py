"""Read RecBole's atomic files as they are: no quoting, and no word but the empty one means missing."""

from __future__ import annotations

import codecs
import math
from logging import getLogger

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from recbole_popaware.errors import UsageError

logger = getLogger(__name__)

_ARROW_TYPES = {
    "token": pa.dictionary(pa.int32(), pa.string()),
    "token_seq": pa.string(),
    "float": pa.float64(),
    "float_seq": pa.string(),
}
TYPES = tuple(_ARROW_TYPES)

LARGEST = 1e19
"""Numbers beyond plus or minus this are refused: models compute in 32 bits, and its square has to fit."""

_RANGE = f"number between -{LARGEST:g} and {LARGEST:g}"
_LONGEST_LINE = 1 << 20  # also what Arrow reads at once, which no line may exceed
_FIRST_ROW = 2  # the header is row 1


def read_header(path: str, separator: str, encoding: str) -> dict[str, str]:
    """Read the fields of an atomic file.

    Returns:
        Type of each field (``token``, ``token_seq``, ``float``, ``float_seq``) by its name.

    Raises:
        UsageError: If the file cannot be read, or the first line is not a header ``name:type`` of names
            that differ.
    """
    try:
        # A byte order mark is no part of the first name.
        marked = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        with open(path, encoding=marked) as file:  # noqa: PTH123  # RecBole passes strings
            line = file.readline(_LONGEST_LINE)
    except UnicodeError as error:
        raise UsageError(f"{path} is not {encoding} text ({getattr(error, 'reason', error)})") from error
    except (OSError, LookupError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not line:
        raise UsageError(f"{path} is empty")
    fields: dict[str, str] = {}
    for column in line.rstrip("\r\n").split(separator):
        name, _, kind = column.partition(":")
        if kind not in TYPES or not name or not name.isprintable():
            raise UsageError(
                f"{path}: the first line must name the columns as name:type with types "
                f"{', '.join(TYPES)}, but holds {_shown(column)}; convert raw logs with "
                f"python -m dataset_converters"
            )
        if name in fields:
            raise UsageError(f"{path}: the first line names the column {_shown(name)} twice; rename one")
        fields[name] = kind
    return fields


def check_types(path: str, fields: dict[str, str], wanted: dict[str, str]) -> None:
    """Check the types of the fields that a file has.

    Raises:
        UsageError: If one is not as wanted.
    """
    for name, kind in wanted.items():
        if fields.get(name, kind) != kind:
            raise UsageError(f"{path}: the column [{name}:{fields[name]}] must be of type {kind}")


class _WrongRows:
    """Rows with another number of columns than the header: left out and counted, or else refused."""

    def __init__(self, lenient: bool) -> None:
        self.lenient, self.count, self.first = lenient, 0, ""

    def __call__(self, row: csv.InvalidRow) -> str:
        """Arrow's question what to do with a row."""
        self.count += 1
        if not self.first:
            columns = f"{row.actual_columns} column{'s' * (row.actual_columns != 1)}"
            self.first = f"row {row.number} has {columns}, but the header names {row.expected_columns}"
        return "skip" if self.lenient else "error"


def read_columns(
    path: str, fields: dict[str, str], keep: list[str], separator: str, encoding: str, lenient: bool = False
) -> pd.DataFrame:
    """Read some columns of an atomic file.

    Args:
        path: The file.
        fields: Its header, from :func:`read_header`.
        keep: Names of the columns to read.
        separator: What separates two columns, one character.
        encoding: Text encoding.
        lenient: Leave rows with too few or too many columns out, with a warning that counts them.

    Returns:
        One column a field: float64 for ``float``, categories for ``token`` (each distinct token is held
        once), text otherwise; empty fields are missing.

    Raises:
        UsageError: If there are no rows, a line has too few or too many columns, a value is not of its
            column's type, or a number is infinite, not a number, or beyond :data:`LARGEST`.
    """
    columns = [f"{name}:{fields[name]}" for name in keep]  # as the header has them
    wrong = _WrongRows(lenient)
    try:
        table = csv.read_csv(
            path,
            # One thread is as fast for files of this kind, and keeps half the memory.
            read_options=csv.ReadOptions(encoding=encoding, use_threads=False, block_size=_LONGEST_LINE),
            parse_options=csv.ParseOptions(delimiter=separator, quote_char=False, invalid_row_handler=wrong),
            convert_options=csv.ConvertOptions(
                column_types={column: _ARROW_TYPES[fields[name]] for column, name in zip(columns, keep)},
                include_columns=columns,
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (pa.ArrowException, ValueError, TypeError, LookupError, OSError) as error:
        if wrong.count:
            raise UsageError(
                f"{path}: {wrong.first}; correct it, or say --lenient to leave such rows out"
            ) from error
        raise UsageError(f"{path} cannot be read: {explained(str(error))}") from error
    if wrong.count:
        logger.warning("%s: %d rows are left out; the first: %s", path, wrong.count, wrong.first)
    if not len(table):
        raise UsageError(f"{path} cannot be read: there is a header but no row")
    table = table.rename_columns(keep)
    for name in keep:
        if fields[name] == "float":
            _check_numbers(path, name, table[name])
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    release_memory()
    return frame


def split_texts(texts: pd.Series, separator: str, limit: int | None) -> list[np.ndarray]:
    """Split each text of a ``token_seq`` column into its tokens, the first ``limit`` of them."""
    return [np.array(parts[:limit], dtype=object) for parts in _parts(texts, separator)]


def split_numbers(path: str, texts: pd.Series, separator: str, limit: int | None) -> list[np.ndarray]:
    """Split each text of a ``float_seq`` column into its numbers, the first ``limit`` of them.

    Raises:
        UsageError: If a word is not a number, or one that :func:`read_columns` refuses.
    """
    sequences = []
    for row, parts in enumerate(_parts(texts, separator), _FIRST_ROW):
        numbers = np.array([_number(part) for part in parts[:limit]])
        for unfit in np.flatnonzero(~(np.abs(numbers) <= LARGEST)):
            raise UsageError(
                f"{path}: column [{texts.name}], row {row}: {_shown(parts[unfit])} is no {_RANGE}"
            )
        sequences.append(numbers)
    return sequences


def release_memory() -> None:
    """Give back to the system what columns held that are no longer used; Arrow would keep it for itself."""
    pa.default_memory_pool().release_unused()


def explained(message: str) -> str:
    """Say what Arrow or Python complains of, shortly and without control characters."""
    if "Empty CSV" in message:
        return "there is a header but no row"
    if "straddling" in message:
        return f"a line is longer than {_LONGEST_LINE:,} bytes"
    return "".join(c if c.isprintable() else " " for c in message[:300])


def _parts(texts: pd.Series, separator: str) -> list[list[str]]:
    return [[part for part in text.split(separator) if part] for text in texts.fillna("")]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _check_numbers(path: str, name: str, column: pa.ChunkedArray) -> None:
    unfit, first, rows = 0, 0, 0
    for chunk in column.chunks:
        fit = pc.less_equal(pc.abs(chunk), LARGEST)  # false for NaN; missing where the value is
        more = len(chunk) - chunk.null_count - fit.true_count
        if more and not unfit:
            first = rows + pc.index(fit, False).as_py()
        unfit, rows = unfit + more, rows + len(chunk)
    if unfit:
        raise UsageError(
            f"{path}: column [{name}]: {unfit:,} of {rows:,} values are no {_RANGE}, the first in row "
            f"{first + _FIRST_ROW}: [{column[first]}]; correct them or take their rows out"
        )


def _shown(word: str) -> str:
    return f"[{ascii(word[:40])[1:-1]}]"
