"""Which column types fit users, items, times, events and ratings."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt

from dataset_converters.common.errors import ConversionError

# By name, since releases of pyarrow before 16 have no views. Spark and Impala may write text as binary.
_TEXTS = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column has texts, dictionary-encoded or not."""
    return str(_plain(kind)) in _TEXTS


def is_id(kind: pa.DataType) -> bool:
    """Return whether a column can name users or items: texts, or numbers that may be whole."""
    kind = _plain(kind)
    whole = pt.is_decimal(kind) and kind.scale == 0
    return bool(is_text(kind) or pt.is_integer(kind) or pt.is_floating(kind) or whole or pt.is_null(kind))


def is_list(kind: pa.DataType) -> bool:
    """Return whether a column has lists whose lengths vary."""
    return bool(pt.is_list(kind) or pt.is_large_list(kind))


def check_type(file: str, role: str, name: str, kind: pa.DataType) -> None:
    """Check that a column's type fits its role.

    Args:
        file: Name of the file, for the message.
        role: ``user``, ``item``, ``time``, ``event``, ``rating`` or ``percentage``.
        name: The column.
        kind: Its type.

    Raises:
        ConversionError: It does not.
    """
    fits, needed = _ROLES[role]
    if not fits(_plain(kind)):
        raise ConversionError(f"{file}: column {name!r} has type {kind}, which is no {role}: need {needed}")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pt.is_dictionary(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_null(kind))


def _is_rating(kind: pa.DataType) -> bool:
    return bool(is_id(kind) or pt.is_decimal(kind))


def _is_time(kind: pa.DataType) -> bool:
    return bool(_is_rating(kind) or pt.is_timestamp(kind) or pt.is_date(kind))


def _is_event(kind: pa.DataType) -> bool:
    return bool(is_id(kind) or pt.is_boolean(kind))


_ROLES = {
    "user": (is_id, "text or whole numbers"),
    "item": (is_id, "text or whole numbers"),
    "event": (_is_event, "text, whole numbers or true and false"),
    "time": (_is_time, "text, numbers, dates or timestamps"),
    "percentage": (_is_number, "numbers"),
    "rating": (_is_rating, "numbers, or text that holds numbers; true and false can be an --event"),
}
