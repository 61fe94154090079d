"""Events that memory cannot hold, in plain files: written as they come, then once more by groups of users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset_converters.events.chunks import Chunk, Longs, Plays
from dataset_converters.events.memory import NamedLog, merge, rows_by_group

_ROW = np.dtype([("user", np.int32), ("item", np.int32), ("time_us", np.int64), ("rating", np.float64)])
_TOGETHER = 8  # chunks whose names are merged with the known ones at once
_SECTION = 4_000_000  # plays of neighbouring users in a file
_SECTIONS = 200  # at most, for each is an open file


class SpilledLog(NamedLog):
    """The events of chunks in files; only the names of users and items stay in memory.

    Codes count from 0 in the order in which the raw data first names the users and items.

    Args:
        chunks: All events in raw order, at least one chunk.
        folder: Where the files go; the caller removes it.

    Attributes:
        rows: Number of events.
    """

    def __init__(self, chunks: Iterable[Chunk], folder: Path) -> None:
        super().__init__()
        self.rows = 0
        self._folder = folder
        self._files: list[Path] = []
        self._plays_of: Longs = np.zeros(0, np.int64)  # each user
        waiting: list[Chunk] = []
        for chunk in chunks:
            waiting.append(chunk)
            if len(waiting) == _TOGETHER:
                self._write(waiting)
                waiting = []
        if waiting:
            self._write(waiting)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the events again, once, as their files are removed in passing."""
        for file in self._files:
            plays = Plays(*_columns_of(file))
            (users, user), (items, item) = (
                np.unique(codes, return_inverse=True) for codes in (plays.user, plays.item)
            )
            texts = {
                kind: self._names[kind].take(codes) for kind, codes in (("user", users), ("item", items))
            }
            yield Chunk(
                Plays(user.astype(np.int32), item.astype(np.int32), plays.time_us, plays.rating), texts
            )

    def groups(self, newest_first: bool, rows: int) -> Iterator[Plays]:
        """Yield the events of some users after another, users in rising order, all of a user at once.

        The events can be read once, as their files are removed in passing.

        Args:
            newest_first: Whether to turn the raw order round.
            rows: Size of a group, about.

        Yields:
            Events in raw order.
        """
        before = np.cumsum(self._plays_of) - self._plays_of
        group_of_user = before // rows
        for file in self._sections(before // max(_SECTION, self.rows // _SECTIONS)):
            section = np.fromfile(file, _ROW)
            file.unlink()
            plays = Plays(*(np.ascontiguousarray(section[name]) for name in _ROW.names or ()))
            marks = _from_zero(group_of_user[plays.user])
            for chosen in rows_by_group(marks, np.flatnonzero(np.bincount(marks))):
                yield plays.take(chosen[::-1] if newest_first else chosen)

    def _write(self, chunks: list[Chunk]) -> None:
        """Write chunks under the codes of all, in columns."""
        known = [self._names] if self._files else []
        codes = {}
        for kind in ("user", "item"):
            tables = [*(names[kind] for names in known), *(chunk.texts[kind] for chunk in chunks)]
            self._names[kind], merged = merge(tables)
            codes[kind] = merged[len(known) :]
        plays_of = np.zeros(self._names["user"].num_rows, np.int64)
        plays_of[: len(self._plays_of)] = self._plays_of
        for chunk, of_user, of_item in zip(chunks, codes["user"], codes["item"]):
            user, item = of_user[chunk.plays.user], of_item[chunk.plays.item]
            plays_of += np.bincount(user, minlength=len(plays_of))
            file = self._folder / f"chunk-{len(self._files)}"
            with file.open("wb") as out:
                for column in (user, item, chunk.plays.time_us, chunk.plays.rating):
                    out.write(np.ascontiguousarray(column).data)
            self._files.append(file)
            self.rows += len(user)
        self._plays_of = plays_of

    def _sections(self, section_of_user: Longs) -> list[Path]:
        """Write the events again, those of neighbouring users into a file each, in raw order."""
        numbers, section_of_user = np.unique(section_of_user, return_inverse=True)
        section_of_user = section_of_user.astype(np.min_scalar_type(len(numbers)))
        paths = [self._folder / f"section-{number}" for number in numbers]
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in paths]
            for chunk in self._files:
                columns = _columns_of(chunk)
                marks = section_of_user[columns[0]]
                order = np.argsort(marks, kind="stable")
                rows = np.empty(len(order), _ROW)
                for name, column in zip(_ROW.names or (), columns):
                    rows[name] = column[order]
                ends = np.cumsum(np.bincount(marks, minlength=len(files)))
                for file, part in zip(files, np.split(rows, ends[:-1])):
                    file.write(part.data)
        return paths


def _columns_of(file: Path) -> list[npt.NDArray[Any]]:
    """Read what :meth:`SpilledLog._write` wrote, and remove it."""
    data = np.fromfile(file, np.uint8)
    file.unlink()
    sizes = np.array([_ROW[name].itemsize for name in _ROW.names or ()]) * (len(data) // _ROW.itemsize)
    parts = np.split(data, np.cumsum(sizes)[:-1])
    return [part.view(_ROW[name]) for name, part in zip(_ROW.names or (), parts)]


def _from_zero(numbers: Longs) -> npt.NDArray[Any]:
    """Numbers less the smallest one, in as few bits as they need, which are sorted the faster."""
    numbers = numbers - numbers.min()
    return numbers.astype(np.min_scalar_type(numbers.max()))
