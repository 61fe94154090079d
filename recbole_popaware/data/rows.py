"""Rows of samples whose windows are cut when they are read, never kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.data.history import PlayHistory


class WindowFields(NamedTuple):
    """The list fields that RecBole's models know, and what they are cut from.

    Attributes:
        history: The plays.
        columns: ``[P, ...]`` values of every play, by the name of the list field.
        length: Places of a window.
        user: Field of a row's user.
        end: Field of the place where a row's history ends.
    """

    history: PlayHistory
    columns: dict[str, Tensor]
    length: int
    user: str
    end: str

    def cut(self, rows: Any, fields: Iterable[str]) -> dict[str, Tensor]:
        """Cut the windows of rows: ``[B, length, ...]`` for each field, 0 where there is no play."""
        users, ends = rows[self.user].reshape(-1), rows[self.end].reshape(-1)
        places, inside = self.history.window(users, ends, self.length)
        windows = {}
        for field in fields:
            values = self.columns[field][places]
            played = inside.reshape(*inside.shape, *[1] * (values.dim() - 2))
            windows[field] = values.where(played, 0).reshape(*rows[self.user].shape, *values.shape[1:])
        return windows


class WindowColumn(NamedTuple):
    """A list field of all rows that is cut for the rows one asks for."""

    rows: Rows
    field: str

    def __getitem__(self, index: Any) -> Any:
        wanted = Interaction(
            {k: self.rows[k][index] for k in (self.rows.windows.user, self.rows.windows.end)}
        )
        return self.rows.windows.cut(wanted, [self.field])[self.field]


class Rows(Interaction):
    """Differs from stock in that list fields can be read, as :class:`WindowColumn`, but take no memory.

    Slices of rows are plain Interactions, without list fields.
    """

    def __init__(self, columns: dict[str, Tensor], windows: WindowFields) -> None:
        super().__init__(columns)
        self.windows = windows

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str) and index not in self.interaction and index in self.windows.columns:
            return WindowColumn(self, index)
        return super().__getitem__(index)
