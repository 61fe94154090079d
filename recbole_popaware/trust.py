"""What a file that came from elsewhere may set: how to compute, never where to read, write or connect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from logging import getLogger
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from recbole_popaware.errors import UsageError

logger = getLogger(__name__)

# Properties of one process, not of what it computes; checkpoints leave them out.
PROCESS_PROPERTIES = ("nproc", "world_size", "ip", "port", "offset", "local_rank")
# A property with one of these words in its name says where something is read or written.
_PLACE_WORDS = frozenset(
    ("path", "dir", "file", "files", "folder", "url", "save", "resume", "pretrain", "wandb")
)
# These do too, or let RecBole's models read a file that another property names.
_PLACES = frozenset(("extend_from", "warm_up", "train_stage", "train_method", *PROCESS_PROPERTIES))
# Parts of the names of files in the folder of the data.
_NAMES = ("dataset", "benchmark_filename", "additional_feat_suffix")
# What RecBole writes and reads as pickled objects, which run code when they are read.
_PICKLES = ("save_dataset", "dataset_save_path", "save_dataloaders", "dataloaders_save_path")


def may_set(name: str) -> bool:
    """Whether a file from elsewhere may set a property."""
    return name not in _PLACES and _PLACE_WORDS.isdisjoint(name.lower().split("_"))


def keep_harmless(
    settings: Mapping[str, Any], source: str | Path, *, data_path: bool = False, warn: bool = True
) -> dict[str, Any]:
    """Leave out what a file from elsewhere may not set.

    Args:
        settings: Properties as the file has them.
        source: The file, for messages.
        data_path: Keep the folder of the data, from which plays are read and nothing else.
        warn: Name what is left out in the log.

    Raises:
        UsageError: If what names a file of the data is more than a name.
    """
    kept = {name: value for name, value in settings.items() if may_set(str(name))}
    if data_path and "data_path" in settings:
        kept["data_path"] = settings["data_path"]
    for name in _NAMES:
        value = kept.get(name)
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, str) and re.search(r"[/\\\0]|^\.+$", part):
                raise UsageError(f"{source} has {name} [{part}], but it must be a name and no path")
    ignored = sorted(str(name) for name in settings if name not in kept and settings[name])
    if ignored and warn:
        _warn(str(source), ", ".join(ignored))
    return kept


@lru_cache(maxsize=1024)  # once a process: the same file is read again for each of many trials
def _warn(source: str, ignored: str) -> None:
    logger.warning(
        "%s: without %s, since only the command and the files it names may say where to read and write",
        source,
        ignored,
    )


def refuse_pickles(settings: Mapping[str, Any]) -> None:
    """Refuse RecBole's ways to keep data sets and loaders.

    Raises:
        UsageError: If one is asked for.
    """
    for name in _PICKLES:
        if settings.get(name):
            raise UsageError(
                f"{name} is [{settings[name]}], but pickled data are neither written nor read: reading them "
                f"runs code, and they go stale without a word; leave it out, loading the .inter file is fast"
            )


@contextmanager
def no_pickles() -> Iterator[None]:
    """Let RecBole's models, which read weights and vectors from files as they are made, unpickle nothing."""
    load, load_array = torch.load, np.load

    def tensors_only(*args: Any, **kwargs: Any) -> Any:
        return load(*args, **{**kwargs, "weights_only": True})

    def numbers_only(*args: Any, **kwargs: Any) -> Any:
        return load_array(*args, **{**kwargs, "allow_pickle": False})

    with patch.object(torch, "load", tensors_only), patch.object(np, "load", numbers_only):
        yield
