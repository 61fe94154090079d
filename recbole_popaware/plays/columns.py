"""Columns whose values are made when they are read: of plays that lie in a file, and of rows that are ranges.

Shapes: P plays, R rows; see docs/glossary.md.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recbole_popaware.plays.ragged import from_zero, ranges

COUNTED_AT_ONCE = 1 << 20
"""Plays that are counted together, which keeps temporary arrays within a few dozen MB."""


class LazyColumn:
    """A column that is read by index; whoever wants all of it gets the tensor of all values."""

    def tensor(self) -> Tensor:
        """All values."""
        values: Tensor = self._cut(slice(None))
        return values

    def __len__(self) -> int:
        raise NotImplementedError

    def _cut(self, index: Any) -> Any:
        """Values at one index, a slice, a list, an array or a tensor of indices, or those of a mask."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, tuple):
            return self._cut(index)
        row, rest = index[0], index[1:]
        if isinstance(row, int):
            return self._cut(row)[rest]
        if isinstance(row, slice):
            of_rows = (slice(None), *rest)
            return self._cut(row)[of_rows]
        return self.tensor()[index]

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy and pickle before there are values
            raise AttributeError(name)
        return getattr(self.tensor(), name)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Give torch's functions, such as ``torch.cat``, the tensor of all values."""
        return func(*_as_tensors(args), **{k: _as_tensors(value) for k, value in (kwargs or {}).items()})


def _of_tensor(operator: str) -> Any:
    def apply(column: LazyColumn, *others: Any) -> Any:
        return getattr(column.tensor(), operator)(*_as_tensors(others))

    return apply


for _name in (
    *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "invert", "neg"),
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "floordiv", "mod"),
):
    setattr(LazyColumn, f"__{_name}__", _of_tensor(f"__{_name}__"))


class StoredColumn(LazyColumn):
    """Numbers of an array, such as one that is mapped, as another type: what is read is copied.

    Args:
        array: ``[P]`` the numbers.
        dtype: Their type in tensors.
    """

    def __init__(self, array: np.ndarray, dtype: torch.dtype) -> None:
        self.array, self.dtype = array, dtype

    def __len__(self) -> int:
        return len(self.array)

    def _cut(self, index: Any) -> Any:
        index = index.numpy() if isinstance(index, Tensor) else index
        return torch.from_numpy(np.array(self.array[index])).to(self.dtype)


def column_of(array: np.ndarray, dtype: torch.dtype) -> Tensor | LazyColumn:
    """An array as a tensor of some type if that needs no copy, and as a :class:`StoredColumn` otherwise."""
    if array.flags.writeable and torch.from_numpy(array[:0]).dtype == dtype:
        return torch.from_numpy(array)
    return StoredColumn(array, dtype)


class UserColumn(LazyColumn):
    """The user of each play.

    Args:
        starts: ``[n_users + 1]`` offset of each user's first play.
    """

    def __init__(self, starts: Tensor) -> None:
        self.starts = starts

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _cut(self, index: Any) -> Any:
        return torch.searchsorted(self.starts, _indices(index, len(self)), right=True) - 1


class Ranges(NamedTuple):
    """Rows that are ranges of plays: one range after the other, and in each one play after the other.

    Attributes:
        users: ``[U]`` user of each range.
        first: ``[U]`` position of its first play.
        ends: ``[U]`` position behind its last one.
        offsets: ``[U + 1]`` row of its first play, then R.
    """

    users: Tensor
    first: Tensor
    ends: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, users: Tensor, first: Tensor, ends: Tensor) -> Ranges:
        """Ranges in a given order; empty ones are left out."""
        kept = ends > first
        users, first, ends = users[kept], first[kept], ends[kept]
        return cls(users, first, ends, from_zero((ends - first).cumsum(0)))

    @property
    def n_rows(self) -> int:
        """R."""
        return int(self.offsets[-1])

    def find(self, index: Any) -> tuple[Tensor, Tensor]:
        """User and position of rows, which an index chooses as it would of a tensor."""
        rows = _indices(index, self.n_rows)
        number = torch.searchsorted(self.offsets, rows, right=True) - 1
        return self.users[number], self.first[number] + rows - self.offsets[number]


class RangeColumn(LazyColumn):
    """A field of rows that are ranges.

    Args:
        ranges: The rows.
        values: ``[P]`` values of all plays; ``None``: the positions are the values.
    """

    def __init__(self, ranges: Ranges, values: Tensor | LazyColumn | None = None) -> None:
        self.ranges, self.values = ranges, values

    def __len__(self) -> int:
        return self.ranges.n_rows

    def _cut(self, index: Any) -> Any:
        positions = self.ranges.find(index)[1]
        return positions if self.values is None else self.values[positions]


class RangeUsers(RangeColumn):
    """The users of rows that are ranges."""

    def _cut(self, index: Any) -> Any:
        return self.ranges.find(index)[0]


def count_items(items: Tensor | LazyColumn, first: Tensor, ends: Tensor, n_items: int) -> Tensor:
    """Count the plays of each item in ranges of plays, a block of ranges at a time.

    Args:
        items: ``[P]`` item of each play.
        first: ``[U]`` position of each range's first play.
        ends: ``[U]`` position behind its last one, not before the first.
        n_items: Size of the catalogue with the padding id 0.

    Returns:
        ``[n_items]``.
    """
    counts = torch.zeros(n_items, dtype=torch.int64)
    sizes = blocks(ends - first)
    for some_first, some_ends in zip(torch.split(first, sizes), torch.split(ends, sizes)):
        positions = ranges(some_first, some_ends)[1]
        counts += torch.bincount(items[positions], minlength=n_items)
    return counts


def blocks(sizes: Tensor, at_once: int = COUNTED_AT_ONCE) -> list[int]:
    """Cut ranges of ``sizes`` ``[U]`` into blocks with about ``at_once`` plays: ranges of each."""
    numbers = sizes.cumsum(0) // at_once
    of_block: list[int] = torch.unique_consecutive(numbers, return_counts=True)[1].tolist()
    return of_block


def _indices(index: Any, length: int) -> Tensor:
    if isinstance(index, int):
        return torch.tensor(index + length if index < 0 else index)
    if isinstance(index, slice):
        return torch.arange(*index.indices(length))
    index = torch.as_tensor(index)
    return torch.nonzero(index).squeeze(1) if index.dtype == torch.bool else index.long()


def _as_tensors(value: Any) -> Any:
    if isinstance(value, LazyColumn):
        return value.tensor()
    return type(value)(map(_as_tensors, value)) if isinstance(value, (list, tuple)) else value
