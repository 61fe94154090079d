"""Memory: the least that training a Transformer takes, and a limit of what evaluation takes."""

from __future__ import annotations

import os
from typing import Any

import torch
from recbole.utils import ModelType

from recbole_popaware.errors import UsageError

_SIZES = ("hidden_size", "inner_size", "n_layers", "MAX_ITEM_LIST_LENGTH", "train_batch_size")
SCORES_AT_ONCE = 1 << 26  # floats of an evaluation batch, 256 MB
_COPIES = 4  # of a weight: itself, its gradient, and two moments of Adam


def least_bytes(settings: Any, n_windows: int) -> int:
    """Bytes of the weights, and of what a batch keeps for the backward pass; 0 if this is no Transformer.

    Args:
        settings: The properties.
        n_windows: Windows of the training part, a batch cannot have more.
    """
    if not all(type(settings[name]) is int for name in _SIZES):
        return 0
    hidden, inner, layers, length, batch = (settings[name] for name in _SIZES)
    weights = layers * (4 * hidden * hidden + 2 * hidden * inner) + length * hidden
    positions = min(batch, n_windows) * length
    kept = layers * positions * (4 * hidden + inner)
    if settings["loss_type"] != "CE" and settings["train_targets"] == "all":
        kept += positions * (settings["negatives"] or 0)  # a score each
    return _COPIES * 4 * weights + kept * (2 if settings["enable_amp"] else 4)


def check_memory(settings: Any, n_windows: int) -> None:
    """Compare the least memory of a training with what there is.

    Raises:
        UsageError: If the training cannot fit.
    """
    least, available = least_bytes(settings, n_windows), available_bytes(settings["device"])
    if least > available:
        sizes = ", ".join(f"{name} {settings[name]}" for name in _SIZES)
        raise UsageError(
            f"training with {sizes} takes {least / 1e9:.1f} GB or more, but there are "
            f"{available / 1e9:.1f} GB; lower one of them"
        )


def limit_evaluation(config: Any, n_items: int) -> None:
    """Evaluate fewer rows at once where the scores of ``eval_batch_size`` would take too much memory.

    Args:
        config: The properties, of which ``eval_batch_size`` is lowered; general models count items there.
        n_items: Size of the catalogue.
    """
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
        config["eval_batch_size"] = min(config["eval_batch_size"], max(SCORES_AT_ONCE // n_items, 1))


def available_bytes(device: Any = None) -> int:
    """Memory of the device, or of the machine; without limit where it is not known."""
    if isinstance(device, torch.device) and device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return 1 << 62
