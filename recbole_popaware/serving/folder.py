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
        tensors: Arrays by name: ``items`` ``[n_items, H]``, ``popularity`` ``[n_items]``, ``scale`` ``[5]``,
            ``rates`` and ``weights`` ``[J]``, and ``bias`` ``[n_items]`` if the network has one.
        ids: ``[n_items - 1]`` ids of the items from number 1 up.
        network: A session of onnxruntime.
    """

    manifest: dict[str, Any]
    tensors: dict[str, np.ndarray]
    ids: list[str]
    network: Any


def read_export(folder: Path, threads: int) -> Export:
    """Read a folder, with so many threads for the network.

    Raises:
        UsageError: If it is damaged or of another version, or a package is missing.
    """
    try:
        import onnxruntime
        from safetensors.numpy import load
    except ModuleNotFoundError as error:
        raise UsageError(f"serving needs a package that is not there ({error}); install [serving]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise UsageError(
                f"{folder} is of format {manifest['format']}, but this version reads {FORMAT}; export again"
            )
        files = {name: (folder / name).read_bytes() for name in (ITEMS, TENSORS, NETWORK)}
        for name, content in files.items():
            if hashlib.sha256(content).hexdigest() != manifest["files"][name]:
                raise ValueError(f"the checksum of {name} is wrong")
        tensors, ids = load(files[TENSORS]), files[ITEMS].decode().split("\n")
        if not len(tensors["items"]) == len(tensors["popularity"]) == len(ids) + 1:
            raise ValueError(f"it has {len(ids)} ids for {len(tensors['items']) - 1} items")
        network = onnxruntime.InferenceSession(files[NETWORK], options, ["CPUExecutionProvider"])
    except UsageError:
        raise
    except Exception as error:  # parsers at work on bytes that somebody else made
        what = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise UsageError(f"{folder} is no export, or is damaged: {what}") from error
    return Export(manifest, tensors, ids, network)
