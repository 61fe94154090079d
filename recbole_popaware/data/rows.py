"""Rows of samples that are read on demand: ranges of plays, and the windows before them.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.plays.columns import LazyColumn, RangeColumn, Ranges, RangeUsers
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
    columns: dict[str, Tensor | LazyColumn]
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


class WindowColumn(LazyColumn):
    """A field about histories; single rows and slices of them are cut alone, without the others."""

    def __init__(self, rows: Rows, field: str) -> None:
        self.rows, self.field = rows, field

    def __len__(self) -> int:
        return len(self.rows)

    def _cut(self, index: Any) -> Any:
        windows = self.rows.windows
        assert windows is not None  # noqa: S101  # whoever made this column saw them
        wanted = {name: self.rows[name][index] for name in (windows.names.user, windows.names.end)}
        return windows.cut(wanted, [self.field])[self.field]


class Rows(Interaction):
    """Differs from stock in that columns may be lazy, and fields about histories are :class:`WindowColumn`.

    Slices of rows are plain Interactions, without those fields.

    Args:
        columns: ``[R]`` values of each field.
        windows: How to cut the fields about histories; ``None``: there are none.
        exact: ``[P]`` exact values of every play, by field, of fields that RecBole rounds: rows are sorted by
            these. Whoever splits the rows need not pass them on.
        ranges: What the rows are, if they are ranges of plays.
    """

    def __init__(
        self,
        columns: dict[str, Any],
        windows: WindowFields | None = None,
        exact: dict[str, np.ndarray] | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        self.interaction = dict(columns)
        self.length = len(next(iter(columns.values()))) if columns else 0
        self.windows, self.exact, self.ranges = windows, exact or {}, ranges

    @classmethod
    def of_ranges(
        cls,
        ranges: Ranges,
        names: tuple[str, str],
        plays: dict[str, Any],
        windows: WindowFields | None = None,
    ) -> Rows:
        """Rows that are ranges of plays.

        Args:
            ranges: The rows.
            names: What the fields of the user and of the position are called.
            plays: ``[P]`` values of every play, by field.
            windows: As above.
        """
        fields = {field: RangeColumn(ranges, values) for field, values in plays.items() if field not in names}
        columns = {names[0]: RangeUsers(ranges), **fields, names[1]: RangeColumn(ranges)}
        return cls(columns, windows, ranges=ranges)

    def __contains__(self, field: object) -> bool:
        return field in self.interaction or (self.windows is not None and self.windows.can_cut(str(field)))

    def sort(self, by: str | list[str], ascending: bool | list[bool] = True) -> None:
        """Sort the rows in place; differs from stock in the order by exact values, where they are known."""
        if self.windows is not None and isinstance(by, str) and by in self.exact and ascending is True:
            values = self.exact[by][self[self.windows.names.end].numpy()]
            self._reindex(torch.from_numpy(np.argsort(values, kind="stable")))
        else:
            super().sort(by, ascending)

    def _reindex(self, index: Any) -> None:
        super()._reindex(index)
        self.ranges = None

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            cut = index not in self.interaction and index in self
            return WindowColumn(self, index) if cut else super().__getitem__(index)
        if isinstance(index, (list, range, np.ndarray)):  # stock makes a tensor of it once for each column
            index = torch.from_numpy(np.asarray(index, dtype=None if len(index) else np.int64))
        return Interaction({field: column[index] for field, column in self.interaction.items()})
