"""What RecBole's models keep beside their weights, as tensors and plain values, and back again.

Some keep arrays or SciPy's sparse matrices (EASE, ItemKNN, SLIMElastic, AsymKNN), which a checkpoint that
runs no code cannot hold as they are. The model that is loaded has been built on the same data, so its own
values say of which class and shape the stored ones must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

_PARTS = ("data", "indices", "indptr")


def other_parameters(model: Any) -> dict[str, Any]:
    """What a model keeps beside its weights; modules of it, such as DIN's, have theirs in the state."""
    named: dict[str, Any] = model.other_parameter() or {}
    return {name: value for name, value in named.items() if not isinstance(value, torch.nn.Module)}


def stored(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a checkpoint holds them: tensors and plain values; a sparse matrix is a table of tensors."""
    return {name: _store(value) for name, value in parameters.items()}


def load_other_parameters(model: Any, saved: Mapping[str, Any]) -> None:
    """Give a model what :func:`stored` returned for one of its kind.

    Raises:
        ValueError: If something does not fit the model as it is.
    """
    now = other_parameters(model)
    for name in saved:
        if name not in now:
            raise ValueError(f"the model has no [{name}]")
    model.load_other_parameter({name: _restore(name, value, now[name]) for name, value in saved.items()})


def _store(value: Any) -> Any:
    if sparse.issparse(value):
        matrix = value.tocsr()
        return {part: torch.from_numpy(np.array(getattr(matrix, part))) for part in _PARTS}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))  # a copy: NumPy's matrices become arrays too
    if isinstance(value, dict):
        return {key: _store(one) for key, one in value.items()}
    return value


def _restore(name: str, value: Any, now: Any) -> Any:
    if sparse.issparse(now):
        return _sparse(name, value, now)
    if isinstance(now, (Tensor, np.ndarray)):
        if not isinstance(value, Tensor) or value.shape != now.shape:
            raise ValueError(f"[{name}] is no tensor of shape {tuple(now.shape)}")
        if isinstance(now, np.ndarray):
            array = value.cpu().numpy().astype(now.dtype, copy=False)
            return np.asmatrix(array) if isinstance(now, np.matrix) else array
    return value


def _sparse(name: str, value: Any, now: Any) -> Any:
    """A matrix of the class, shape and type of ``now``, its indices checked, which SciPy would trust."""
    if not (isinstance(value, dict) and all(isinstance(value.get(part), Tensor) for part in _PARTS)):
        raise ValueError(f"[{name}] is no sparse matrix")
    data, indices, indptr = (value[part].cpu().numpy() for part in _PARTS)
    if not all(np.issubdtype(part.dtype, np.integer) for part in (indices, indptr)):
        raise ValueError(f"[{name}] has indices that are no whole numbers")
    matrix = sparse.csr_array((data.astype(now.dtype, copy=False), indices, indptr), shape=now.shape)
    matrix.check_format(full_check=True)
    return type(now)(matrix)
