"""Read what ``recbole-popaware-export`` wrote: every file is checked, and none of them runs code."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recbole_popaware.errors import UsageError

FORMAT = 1
MANIFEST, ITEMS, TENSORS, NETWORK = "manifest.json", "items.txt", "model.safetensors", "network.onnx"


class Export(NamedTuple):
    """An exported model.

    Attributes:
        manifest: What the folder says of itself.
        tensors: Arrays by name: ``items`` ``[n_items, H]``, ``popularity`` ``[n_items]``, ``head`` ``[5]``,
            ``rates`` and ``weights`` ``[J]``, and ``bias`` ``[n_items]`` if the network has one.
        ids: ``[n_items - 1]`` ids of the items from number 1 up.
        network: A session of onnxruntime.
    """

    manifest: dict[str, Any]
    tensors: dict[str, np.ndarray]
    ids: list[str]
    network: Any


def read_export(folder: Path, threads: int) -> Export:
    """Read a folder.

    Args:
        folder: The folder.
        threads: That the network may use.

    Raises:
        UsageError: If it is damaged or of another version, or a package is missing.
    """
    try:
        import onnxruntime
        from safetensors.numpy import load
    except ModuleNotFoundError as error:
        raise UsageError(f"serving needs a package that is not there ({error}); install [serving]") from error
    manifest, files = _read_files(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        tensors, ids = load(files[TENSORS]), files[ITEMS].decode().split("\n")
        network = onnxruntime.InferenceSession(files[NETWORK], options, ["CPUExecutionProvider"])
        lengths = {len(tensors["items"]), len(tensors["popularity"]), len(ids) + 1}
    except Exception as error:  # parsers at work on bytes that somebody else made
        raise UsageError(f"{folder} is damaged: {' '.join(str(error).split())[:200]}") from error
    if len(lengths) > 1:
        raise UsageError(f"{folder} is damaged: it has {len(ids)} ids for {len(tensors['items']) - 1} items")
    return Export(manifest, tensors, ids, network)


def _read_files(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the other files, whose checksums it has."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise UsageError(
                f"{folder} is of format {manifest['format']}, but this version reads {FORMAT}; export again"
            )
        files = {name: (folder / name).read_bytes() for name in (ITEMS, TENSORS, NETWORK)}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        wrong = [name for name in files if sums[name] != manifest["files"][name]]
    except UsageError:
        raise
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        what = f"{type(error).__name__} {error}"[:200]
        raise UsageError(f"{folder} is no export, or is damaged: {what}") from error
    if wrong:
        raise UsageError(f"{folder} is damaged: the checksum of {wrong[0]} is wrong")
    return manifest, files
