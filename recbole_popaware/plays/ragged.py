"""Rows of different lengths in flat arrays, and sets of items for each row as sorted keys.

A set of items for each row of a batch is kept as sorted keys ``row * n_items + item``, so that membership
is a binary search and no [B, n_items] matrix is built. ``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ranges(first: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """List the positions ``first[r]`` to ``ends[r] - 1`` of every row.

    Args:
        first: ``[R]`` first position of each row.
        ends: ``[R]`` position behind its last one.

    Returns:
        Row ``[E]`` and position ``[E]``, row by row.
    """
    lengths = ends - first
    rows = torch.repeat_interleave(torch.arange(len(first), device=first.device), lengths)
    before_row = lengths.cumsum(0) - lengths
    positions = torch.arange(len(rows), device=first.device) + (first - before_row)[rows]
    return rows, positions


def pad_rows(rows: Tensor, values: Tensor, n_rows: int) -> Tensor:
    """Lay values ``[E]`` of ascending ``rows`` ``[E]`` side by side: ``[n_rows, longest]``, 0 behind them."""
    sizes = torch.bincount(rows, minlength=n_rows)
    column = torch.arange(len(rows)) - (sizes.cumsum(0) - sizes)[rows]
    padded = values.new_zeros(n_rows, int(sizes.max()) if n_rows else 0)
    padded[rows, column] = values
    return padded


def row_keys(items: Tensor, n_items: int) -> Tensor:
    """Keys of items ``[B, K]`` by their row."""
    rows = torch.arange(items.size(0), device=items.device)
    return rows.unsqueeze(1) * n_items + items


def look_up_keys(keys: Tensor, known: Tensor, values: Tensor) -> Tensor:
    """Value of each key, 0 where it is not known.

    Args:
        keys: Any shape.
        known: ``[D]`` distinct keys in ascending order.
        values: ``[D]`` their values.

    Returns:
        Values of the shape of ``keys``.
    """
    if len(known) == 0:
        return torch.zeros(keys.shape, dtype=values.dtype, device=keys.device)
    index = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    return values[index].where(known[index] == keys, 0)


def from_zero(sums: Tensor) -> Tensor:
    """A 0 before running sums: where each row begins, and behind the last one where all end."""
    return torch.cat([sums.new_zeros(1), sums])
