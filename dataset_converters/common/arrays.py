"""Small helpers for Arrow columns that several modules need."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.reading.column_types import is_text


def count_true(mask: pa.Array) -> int:
    """Return how many entries of a boolean column are true."""
    return int(pc.sum(mask).as_py() or 0)


def keep(rows: Any, mask: pa.Array) -> Any:
    """Filter a column or batch by a mask without nulls; it stays as it is if all rows do."""
    return rows if count_true(mask) == len(mask) else rows.filter(mask)


def is_blank(texts: pa.Array) -> pa.Array:
    """Return where a string column is null or empty; never null itself."""
    return pc.fill_null(pc.equal(pc.binary_length(texts), 0), True)


def decode(column: pa.Array) -> pa.Array:
    """Return a column without dictionary, and texts of any kind as strings that may not be UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not is_text(column.type) or column.type == pa.string():
        return column
    return pc.cast(column, options=pc.CastOptions(pa.string(), allow_invalid_utf8=True))


def is_utf8(column: pa.Array) -> pa.Array | None:
    """Return where a string column is null or UTF-8; ``None`` if everywhere, or if it is none."""
    if column.type != pa.string():
        return None
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return pa.array([text is None or _is_utf8(text) for text in column.cast(pa.binary()).to_pylist()])
    return None


def as_texts(column: pa.Array) -> pa.Array:
    """Return ids of any type as strings; numbers that pandas made floats come back whole.

    Floats that are no number are null.

    Raises:
        pyarrow.ArrowInvalid: Floats with fractions, or bytes that are no text.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:
            raise pa.ArrowInvalid("a column of ids holds fractions: need whole numbers or text") from None
    return column.cast(pa.string())


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
