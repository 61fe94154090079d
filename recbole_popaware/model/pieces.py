"""Large intermediate tensors computed piece by piece."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

SCORES_AT_ONCE = 1 << 24  # floats of a piece (64 MB); more are computed and dropped piece by piece


def in_pieces(function: Callable[..., Tensor], inputs: tuple[Tensor, ...], width: int) -> Tensor:
    """Compute ``[T, ...]`` from inputs ``[T, ...]`` without keeping T x ``width`` floats at a time.

    Large batches are cut into pieces whose intermediate values are dropped, and computed again in the
    backward pass: a third more arithmetic, and memory that does not grow with the batch.

    Args:
        function: Computes some rows from the same rows of the inputs.
        inputs: Tensors of T rows.
        width: Floats that a row takes in between.
    """
    step = max(SCORES_AT_ONCE // width, 1)
    if len(inputs[0]) <= step:
        return function(*inputs)
    pieces = zip(*(torch.split(part, step) for part in inputs))
    return torch.cat([checkpoint(function, *piece, use_reentrant=False) for piece in pieces])
