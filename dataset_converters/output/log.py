"""The binary form of a data set, written a group of users at a time: see recbole_popaware.plays.log_file."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataset_converters.common.schema import INTER_FIELDS
from dataset_converters.events.chunks import Plays
from dataset_converters.output.writer import opened, written
from recbole_popaware.plays.log_file import (
    NARROW,
    Fingerprint,
    StoredLog,
    fits,
    numbers_by_appearance,
    with_padding,
    write_log,
)

_BLOCK = 1 << 22
_NAMES = tuple(field.partition(":")[0] for field in INTER_FIELDS)


class LogColumns:
    """The columns of a log, kept in files until all plays are there; users and items get RecBole's numbers.

    Args:
        folder: Where the files go; the caller removes it.
        items: How many codes of items there are.
    """

    def __init__(self, folder: Path, items: int) -> None:
        self._items = _Column(folder / "items", (np.int32,))
        self._times, self._ratings = (_Column(folder / name, NARROW) for name in ("times", "ratings"))
        self._users: list[npt.NDArray[Any]] = []  # codes
        self._sizes: list[npt.NDArray[Any]] = []  # plays of each
        self._liked: list[npt.NDArray[Any]] = []  # whether any is positive
        self._codes: list[npt.NDArray[Any]] = []  # of items, in the order of their numbers
        self._number_of = np.zeros(items, np.int32)
        self._first_positive = np.full(items + 1, -1)
        self._rows = self._positive = self._known = 0

    def add(self, plays: Plays) -> None:
        """Add all plays of some users, in the order of the text."""
        starts = np.flatnonzero(np.diff(plays.user, prepend=-1))
        positive = plays.rating > 0
        numbers = self._number(plays.item)
        self._users.append(plays.user[starts])
        self._sizes.append(np.diff(starts, append=len(plays)))
        self._liked.append(np.logical_or.reduceat(positive, starts))
        self._items.append(numbers)
        self._times.append(plays.time_us // 1_000_000)
        self._ratings.append(plays.rating)
        items, rows = np.unique(numbers[positive], return_index=True)
        new = self._first_positive[items] < 0
        self._first_positive[items[new]] = self._rows + np.flatnonzero(positive)[rows[new]]
        self._rows += len(plays)
        self._positive += int(np.count_nonzero(positive))

    def write(
        self,
        file: Path,
        users: pa.Array,
        items: pa.Array,
        source: Fingerprint | None = None,
        text_mtime_ns: int | None = None,
    ) -> None:
        """Write the log.

        Args:
            file: The file.
            users: Token of each user's code.
            items: Token of each item's code.
            source: Fingerprint of the text, if there is one.
            text_mtime_ns: When the text was modified.
        """
        renumbered = None
        if self._positive < self._rows:
            liked = np.concatenate([[False], *self._liked])
            of_items = numbers_by_appearance(self._first_positive[: self._known + 1], -1)
            renumbered = (np.cumsum(liked) * liked).astype(np.int32), of_items
        log = StoredLog(
            _NAMES,
            with_padding(users.take(pa.array(np.concatenate(self._users)))),
            with_padding(items.take(pa.array(np.concatenate(self._codes)))),
            np.concatenate([[0, 0], np.cumsum(np.concatenate(self._sizes))]),
            self._items.read(),
            self._times.read(),
            self._ratings.read(),
            renumbered,
        )
        with written(file):
            write_log(file, log, source, text_mtime_ns, self._let_go)

    def _let_go(self) -> None:
        for column in (self._items, self._times, self._ratings):
            column.let_go()

    def _number(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
        """Numbers of items, from 1 in the order in which they appear."""
        new, rows = np.unique(codes[self._number_of[codes] == 0], return_index=True)
        new = new[np.argsort(rows)]
        self._number_of[new] = np.arange(self._known + 1, self._known + len(new) + 1)
        self._known += len(new)
        self._codes.append(new)
        numbers: npt.NDArray[np.int32] = self._number_of[codes]
        return numbers


class _Column:
    """Numbers in a file, of the first type that holds all of them."""

    def __init__(self, path: Path, kinds: tuple[type[Any], ...]) -> None:
        self._path, self._kinds = path, kinds
        self._mapped: mmap.mmap | None = None
        path.touch()

    def append(self, values: npt.NDArray[Any]) -> None:
        while len(self._kinds) > 1 and not fits(values, self._kinds[0]):
            self._widen()
        with opened(self._path, "ab") as file:
            file.write(values.astype(self._kinds[0]).tobytes())

    def read(self) -> npt.NDArray[Any]:
        """All numbers, mapped."""
        if not self._path.stat().st_size:
            return np.empty(0)
        with self._path.open("rb") as file:
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._mapped, self._kinds[0])

    def let_go(self) -> None:
        """Keep nothing of what is mapped in memory, where the system can do that."""
        if self._mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def _widen(self) -> None:
        narrow, wide = self.read(), self._path.with_suffix(".wide")
        with opened(wide) as file:
            for start in range(0, len(narrow), _BLOCK):
                file.write(narrow[start : start + _BLOCK].astype(self._kinds[1]).tobytes())
        wide.replace(self._path)
        self._kinds = self._kinds[1:]
