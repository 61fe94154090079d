"""Rows of samples whose windows are cut when they are read, never kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory


class FieldNames(NamedTuple):
    """What RecBole calls a row's user, the position where its history ends, and the length of its window."""

    user: str
    end: str
    length: str


class WindowFields(NamedTuple):
    """The fields about histories that RecBole's models know, and what they are cut from.

    Attributes:
        history: The plays.
        columns: ``[P, ...]`` values of every play, by the name of the list field.
        length: L, the length of a window.
        names: Names of three fields.
        served: The fields that batches get.
    """

    history: PlayHistory
    columns: dict[str, Tensor]
    length: int
    names: FieldNames
    served: list[str]

    def can_cut(self, field: str) -> bool:
        """Whether a field is one of these."""
        return field in self.columns or field == self.names.length

    def cut(self, rows: Any, fields: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Cut windows for rows ``[B]``.

        Args:
            rows: Something with the users and ends of the rows by name.
            fields: List fields, or the field of the windows' lengths; ``None``: those that batches get.

        Returns:
            ``[B, L, ...]`` for each list field, 0 where there is no play; ``[B]`` for the lengths.
        """
        users, ends = rows[self.names.user], rows[self.names.end]
        positions, inside = self.history.window(users.reshape(-1), ends.reshape(-1), self.length)
        windows = {}
        for field in self.served if fields is None else fields:
            if field == self.names.length:
                windows[field] = inside.sum(dim=1).reshape(users.shape)
            else:
                values = self.columns[field][positions]
                played = inside.reshape(*inside.shape, *[1] * (values.dim() - 2))
                windows[field] = values.where(played, 0).reshape(*users.shape, *values.shape[1:])
        return windows


class WindowColumn:
    """A field of all rows that is cut when it is asked for; otherwise it behaves as the tensor of all rows.

    Single rows and slices of them are cut alone, without the others.
    """

    def __init__(self, rows: Rows, field: str) -> None:
        self.rows, self.field = rows, field

    def tensor(self) -> Tensor:
        """The windows of all rows, ``[R, L, ...]``, or their lengths ``[R]``."""
        return self._cut(slice(None))

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, tuple):
            return self._cut(index)
        row, rest = index[0], index[1:]
        if isinstance(row, int):
            return self._cut(row)[rest]
        if isinstance(row, slice):
            of_windows = (slice(None), *rest)
            return self._cut(row)[of_windows]
        return self.tensor()[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> Any:
        return self.tensor() == other

    def __ne__(self, other: object) -> Any:
        return self.tensor() != other

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy and pickle before there are rows
            raise AttributeError(name)
        return getattr(self.tensor(), name)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Give torch's functions, such as ``torch.cat``, the tensor of all rows."""
        return func(*_as_tensors(args), **{k: _as_tensors(value) for k, value in (kwargs or {}).items()})

    def _cut(self, index: Any) -> Any:
        windows = self.rows.windows
        wanted = {name: self.rows[name][index] for name in (windows.names.user, windows.names.end)}
        return windows.cut(wanted, [self.field])[self.field]


def _as_tensors(value: Any) -> Any:
    if isinstance(value, WindowColumn):
        return value.tensor()
    return type(value)(map(_as_tensors, value)) if isinstance(value, (list, tuple)) else value


class Rows(Interaction):
    """Differs from stock in that fields about histories are not kept but read as :class:`WindowColumn`.

    Slices of rows are plain Interactions, without those fields.

    Args:
        columns: ``[R]`` values of each field.
        windows: How to cut the fields about histories.
        exact: ``[P]`` exact values of every play, by field, of fields that RecBole rounds: rows are sorted by
            these. Whoever splits the rows need not pass them on.
    """

    def __init__(
        self, columns: dict[str, Tensor], windows: WindowFields, exact: dict[str, np.ndarray] | None = None
    ) -> None:
        super().__init__(columns)
        self.windows, self.exact = windows, exact or {}

    def __contains__(self, field: object) -> bool:
        return field in self.interaction or self.windows.can_cut(str(field))

    def sort(self, by: str | list[str], ascending: bool | list[bool] = True) -> None:
        """Sort the rows in place; differs from stock in the order by exact values, where they are known."""
        if isinstance(by, str) and by in self.exact and ascending is True:
            values = self.exact[by][self[self.windows.names.end].numpy()]
            self._reindex(torch.from_numpy(np.argsort(values, kind="stable")))
        else:
            super().sort(by, ascending)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            cut = index not in self.interaction and self.windows.can_cut(index)
            return WindowColumn(self, index) if cut else super().__getitem__(index)
        if isinstance(index, (list, range, np.ndarray)):  # stock makes a tensor of it once for each column
            index = torch.from_numpy(np.asarray(index, dtype=None if len(index) else np.int64))
        return Interaction({field: column[index] for field, column in self.interaction.items()})
