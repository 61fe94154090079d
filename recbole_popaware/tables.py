"""Optimisers for item tables whose gradients are sparse: a step moves the rows that it has looked up.

Adam over all rows reads and writes the table, its gradient and two moments in every step, 24 bytes a number.
Here that is so for the rows of a batch only, whatever the size of the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

EPSILON = 1e-8  # PyTorch's for Adam


class RowAdam(torch.optim.SparseAdam):
    """PyTorch's Adam over the rows that have a gradient; others keep their moments and stay.

    Where every row has one it is :class:`torch.optim.Adam`, also in the first steps: PyTorch's ``SparseAdam``
    adds epsilon before the second moment's bias is corrected, by a factor of up to 32, and gradients of
    rows in a large batch are as small as epsilon.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Make a step; every parameter of a group must have had as many of them."""
        for group in self.param_groups:
            done = self.state.get(group["params"][0], {}).get("step", 0)
            group["eps"] = EPSILON * math.sqrt(1 - group["betas"][1] ** (done + 1))
        return super().step(closure)  # type: ignore[no-untyped-call]  # PyTorch's has no annotations


TABLE_OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sparse_adam": RowAdam,
    "sparse_adagrad": torch.optim.Adagrad,  # rows without a gradient stay in the dense one too
}


class JointOptimizer(Optimizer):
    """Several optimisers, each of parameters of its own, as one: one state, one schedule, one norm.

    Args:
        parts: The optimisers. Their groups and states are this one's as well.
        clip: Arguments of :func:`torch.nn.utils.clip_grad_norm_`, which knows no sparse gradients; ``None``:
            gradients are not clipped.
    """

    def __init__(self, parts: Sequence[Optimizer], clip: dict[str, Any] | None = None) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        for part in parts:
            self.state.update(part.state)
        self._parts, self._clip = parts, clip
        self._share()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, so no loss
        """Clip all gradients together, and make a step of each optimiser."""
        if self._clip:
            parameters = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
            clip_grad_norm_([_stored(parameter) for parameter in parameters], **self._clip)
        with _unchecked():
            for part in self._parts:
                part.step()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._share()  # PyTorch has just put new groups and a new state in place of the old ones

    def _share(self) -> None:
        groups = iter(self.param_groups)
        for part in self._parts:
            part.param_groups = [next(groups) for _ in part.param_groups]
            part.state = self.state


def tables_of(model: Any) -> list[nn.Parameter]:
    """Parameters of a model that have sparse gradients; RecBole's models have none."""
    return model.sparse_tables() if hasattr(model, "sparse_tables") else []


def with_tables(
    dense: Optimizer, tables: Sequence[nn.Parameter], kind: str, clip: dict[str, Any] | None
) -> JointOptimizer:
    """Add an optimiser of tables to that of all other parameters.

    Args:
        dense: The latter; its learning rate and Adam's betas are the tables' too.
        tables: Parameters with sparse gradients.
        kind: One of :data:`TABLE_OPTIMIZERS`.
        clip: As in :class:`JointOptimizer`.
    """
    for table in tables:
        table.register_post_accumulate_grad_hook(_coalesce)  # type: ignore[no-untyped-call]  # PyTorch's
    return JointOptimizer([dense, TABLE_OPTIMIZERS[kind](tables, lr=dense.defaults["lr"])], clip)


def _unchecked() -> AbstractContextManager[None]:
    """Make sparse tensors without checks, as PyTorch does too, but with a warning if nobody says so."""
    check: Any = torch.sparse.check_sparse_tensor_invariants
    unchecked: AbstractContextManager[None] = check(enable=False)
    return unchecked


def _coalesce(table: Tensor) -> None:
    """Sum the gradients of a row that was looked up more than once."""
    if table.grad is not None:
        table.grad = table.grad.coalesce()


def _stored(parameter: Tensor) -> Tensor:
    """A tensor whose gradient is what the parameter's gradient stores, in the same memory."""
    gradient: Tensor = parameter.grad  # type: ignore[assignment]  # those without one are left out
    values = gradient._values() if gradient.is_sparse else gradient
    alike = values.detach()
    alike.grad = values
    return alike
