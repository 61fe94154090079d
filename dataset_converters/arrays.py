"""Small helpers for Arrow columns that several modules need."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_DASH = " \u2013 "


def count_true(mask: pa.Array) -> int:
    """Return how many entries of a boolean column are true."""
    return int(pc.sum(mask).as_py() or 0)


def keep(rows: Any, mask: pa.Array) -> Any:
    """Filter a column or batch by a mask without nulls; it stays as it is if all rows do."""
    return rows if count_true(mask) == len(mask) else rows.filter(mask)


def is_blank(texts: pa.Array) -> pa.Array:
    """Return where a string column is null or empty; never null itself."""
    return pc.fill_null(pc.equal(pc.binary_length(texts), 0), True)


def as_texts(column: pa.Array) -> pa.Array:
    """Return ids of any type as strings; numbers that pandas made floats come back whole.

    Raises:
        pyarrow.ArrowInvalid: Floats with fractions, or bytes that are no text.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string())


def join_names(artist: pa.Array, track: pa.Array) -> pa.Array:
    """Name items "artist – track"; null where either is missing or empty."""
    joined = pc.binary_join_element_wise(artist, track, _DASH)
    missing = pc.or_(is_blank(artist), is_blank(track))
    return pc.if_else(missing, pa.scalar(None, pa.string()), joined)
