"""The state of every source of random numbers that training draws from, as tensors and plain values."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from recbole_popaware.errors import UsageError


def read_random_state(generator: torch.Generator) -> dict[str, Any]:
    """Note where Python's, NumPy's and PyTorch's generators are, and one more: the training loader's."""
    kind, keys, *position = np.random.get_state()  # noqa: NPY002  # RecBole draws from NumPy's global one
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *position),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loader": generator.get_state(),
    }


def restore_random_state(state: dict[str, Any], generator: torch.Generator, otherwise: str) -> None:
    """Put all generators back where they were when :func:`read_random_state` read them.

    Args:
        state: What that has returned, maybe damaged since.
        generator: The training loader's.
        otherwise: What to say if it is damaged.

    Raises:
        UsageError: If it is.
    """
    try:
        kind, keys, *position = state["numpy"]
        random.setstate(state["python"])
        np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *position))  # noqa: NPY002  # RecBole draws from it
        torch.set_rng_state(state["torch"].cpu())
        if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([part.cpu() for part in state["cuda"]])
        generator.set_state(state["loader"].cpu())
    except Exception as error:  # the generators meet values of any kind
        raise UsageError(f"{otherwise} (its random state is damaged: {error})") from error
