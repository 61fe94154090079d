"""Rows of a table by index, with a gradient that holds no others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

DENSE = "dense"  # value of table_optimizer that leaves tables to the optimiser of all parameters


def rows_at(table: Tensor, index: Tensor, sparse: bool) -> Tensor:
    """``table[index]``.

    Args:
        table: ``[N, H]`` or ``[N]``.
        index: Row numbers of any shape.
        sparse: Whether the gradient of the table is a sparse tensor of these rows, rather than one of all N.

    Returns:
        ``[..., H]`` or ``[...]``.
    """
    if table.dim() == 1:
        return torch.gather(table, 0, index.flatten(), sparse_grad=sparse).view(index.shape)
    return functional.embedding(index, table, sparse=sparse)
