"""What items share: groups of items, such as those of one artist, from the ``.item`` file."""

from __future__ import annotations

import os
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recbole_popaware.data.reader import read_columns, read_header, split_texts

logger = getLogger(__name__)

MOST_GROUPS = 4  # of an item in one field
LEAST_MEAN = 2.0  # items a group, on average; fewer, and the field names items instead of grouping them
LEAST_SHARE = 0.5  # of the items that have a group
_CANDIDATES = ("token", "token_seq")


def read_groups(dataset: Any) -> tuple[Tensor, ...]:
    """Groups of items in each field of tokens of the ``.item`` file that groups them.

    Args:
        dataset: The data set, which numbers the items.

    Returns:
        ``[n_items, G]`` a field, G at most 4: numbers of each item's groups from 1, then 0.
    """
    file = Path(dataset.dataset_path, f"{dataset.dataset_name}.item")
    if not file.is_file():
        return ()
    separator, encoding = dataset.config["field_separator"], dataset.config["encoding"] or "utf-8"
    fields = read_header(os.fspath(file), separator, encoding)
    if dataset.iid_field not in fields:
        return ()
    wanted = [name for name, kind in fields.items() if kind in _CANDIDATES and name != dataset.iid_field]
    frame = read_columns(os.fspath(file), fields, [dataset.iid_field, *wanted], separator, encoding)
    numbers = frame[dataset.iid_field].map(dataset.field2token_id[dataset.iid_field])
    known = numbers.notna().to_numpy()
    numbers = numbers[known].astype(np.int64).to_numpy()
    tables = {}
    for name in wanted:
        texts = frame[name][known]
        pairs = _pairs(texts, fields[name], dataset.config["seq_separator"])
        if pairs is not None and _groups(*pairs, dataset.item_num - 1):
            tables[name] = _table(*pairs, numbers, dataset.item_num)
    if tables:
        logger.info("items are grouped by %s", ", ".join(tables))
    return tuple(tables.values())


def _pairs(texts: pd.Series, kind: str, separator: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Row and group, from 1, of each value; ``None`` without any."""
    if kind == "token":
        codes = pd.factorize(texts.astype(object))[0]
        rows = np.flatnonzero(codes >= 0)
        return (rows, codes[rows] + 1) if len(rows) else None
    values = [pd.unique(row) for row in split_texts(texts, separator, MOST_GROUPS)]
    rows = np.repeat(np.arange(len(values)), [len(row) for row in values])
    return (rows, pd.factorize(np.concatenate(values))[0] + 1) if len(rows) else None


def _groups(rows: np.ndarray, groups: np.ndarray, n_items: int) -> bool:
    n_groups, n_grouped = len(np.unique(groups)), len(np.unique(rows))
    return n_groups > 1 and n_grouped >= LEAST_MEAN * n_groups and n_grouped >= LEAST_SHARE * n_items


def _table(rows: np.ndarray, groups: np.ndarray, numbers: np.ndarray, n_items: int) -> Tensor:
    column = np.arange(len(rows)) - np.searchsorted(rows, rows)
    table = torch.zeros(n_items, int(column.max()) + 1, dtype=torch.int64)
    table[torch.from_numpy(numbers[rows]), torch.from_numpy(column)] = torch.from_numpy(
        groups.astype(np.int64)
    )
    return table
