"""Read RecBole's atomic files as they are: no quoting, and no word but the empty one means missing."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from recbole_popaware.errors import UsageError

_ARROW_TYPES = {
    "token": pa.dictionary(pa.int32(), pa.string()),
    "token_seq": pa.string(),
    "float": pa.float64(),
    "float_seq": pa.string(),
}
TYPES = tuple(_ARROW_TYPES)


def read_header(path: str, separator: str, encoding: str) -> dict[str, str]:
    """Read the fields of an atomic file.

    Returns:
        Type of each field (``token``, ``token_seq``, ``float``, ``float_seq``) by its name.

    Raises:
        UsageError: If the first line is not a header ``name:type``.
    """
    try:
        with open(path, encoding=encoding) as file:  # noqa: PTH123  # RecBole passes strings
            head = file.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not {encoding} text ({error.reason})") from error
    fields: dict[str, str] = {}
    for column in head.split(separator):
        name, _, kind = column.partition(":")
        if kind not in TYPES:
            raise UsageError(
                f"{path}: the first line must name the columns as name:type with types "
                f"{', '.join(TYPES)}, but holds [{column}]; convert raw logs with "
                f"python -m dataset_converters"
            )
        fields[name] = kind
    return fields


def read_columns(
    path: str, fields: dict[str, str], keep: list[str], separator: str, encoding: str
) -> pd.DataFrame:
    """Read some columns of an atomic file.

    Args:
        path: The file.
        fields: Its header, from :func:`read_header`.
        keep: Names of the columns to read.
        separator: What stands between two columns, one character.
        encoding: Text encoding.

    Returns:
        One column a field: float64 for ``float``, categories for ``token`` (each distinct token is held
        once), text otherwise; empty places are missing.

    Raises:
        UsageError: If a line has too few or too many columns, or a value is not of its column's type.
    """
    columns = [f"{name}:{fields[name]}" for name in keep]  # as the header has them
    try:
        table = csv.read_csv(
            path,
            # One thread is as fast for files of this kind, and keeps half the memory.
            read_options=csv.ReadOptions(encoding=encoding, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=separator, quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={column: _ARROW_TYPES[fields[name]] for column, name in zip(columns, keep)},
                include_columns=columns,
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (ValueError, TypeError, LookupError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    table = table.rename_columns(keep)
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    release_memory()
    return frame


def release_memory() -> None:
    """Give back to the system what columns held that are no longer used; Arrow would keep it for itself."""
    pa.default_memory_pool().release_unused()
