"""Read RecBole's atomic files as they are: no quoting, and no word but the empty one means missing."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd

from recbole_popaware.errors import UsageError

TYPES = ("token", "token_seq", "float", "float_seq")


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
        separator: What stands between two columns.
        encoding: Text encoding.

    Returns:
        One column a field: float64 for ``float``, text otherwise; empty places are missing.

    Raises:
        UsageError: If a value is not of its column's type.
    """
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            header=None,
            skiprows=1,
            names=list(fields),
            index_col=False,
            usecols=keep,
            dtype={name: np.float64 if fields[name] == "float" else str for name in keep},
            encoding=encoding,
            quoting=csv.QUOTE_NONE,
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return frame[keep]
