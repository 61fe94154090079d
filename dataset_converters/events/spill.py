"""Events that memory cannot hold, in plain files: written as they come, then once more by groups of users.

Shapes: P plays; see docs/glossary.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataset_converters.events.chunks import Chunk, Ints, Plays, in_order
from dataset_converters.events.memory import NamedLog, merge

_ROW = np.dtype([("user", "<i4"), ("item", "<i4"), ("time_us", "<i8"), ("rating", "<f8")])
_SECTION = 4_000_000  # plays that are put in order together
_SECTIONS = 200  # at most, for each is an open file
_MERGED = 1_000_000  # names that are merged with the known ones at least


class SpilledLog(NamedLog):
    """The events of chunks in files; what stays in memory are the names of users and items.

    Codes count from 0 in the order in which the raw data first names the users and items.

    Args:
        chunks: All events in raw order, at least one chunk.
        folder: Where the files go; the caller removes it.

    Attributes:
        rows: Number of events.
    """

    def __init__(self, chunks: Iterable[Chunk], folder: Path) -> None:
        self.rows = 0
        self._folder = folder
        self._files: list[Path] = []
        self._plays_of_users: list[npt.NDArray[Any]] = []  # by the codes of each chunk
        names = {kind: _Names() for kind in ("user", "item")}
        for chunk in chunks:
            file = folder / f"chunk-{len(self._files)}"
            file.write_bytes(_rows_of(chunk.plays).data)
            self._files.append(file)
            self._plays_of_users.append(
                np.bincount(chunk.plays.user, minlength=chunk.texts["user"].num_rows).astype(np.int32)
            )
            self.rows += len(chunk.plays)
            for kind, table in chunk.texts.items():
                names[kind].add(table)
        self._names, self._codes = {}, {}
        for kind, known in names.items():
            self._names[kind], self._codes[kind] = known.all()

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks again, once, as their files are removed in passing."""
        for number, file in enumerate(self._files):
            texts = {
                kind: self._names[kind].take(pa.array(codes[number])) for kind, codes in self._codes.items()
            }
            plays = _plays_of(np.fromfile(file, _ROW))
            file.unlink()
            yield Chunk(plays, texts)

    def groups(self, newest_first: bool, rows: int) -> Iterator[Plays]:
        """Yield the events of some users after another, users in rising order, all of a user at once.

        The events can be read once, as their files are removed in passing.

        Args:
            newest_first: Whether of two events of one user and microsecond the one
                later in the raw data comes first.
            rows: Size of a group, about.

        Yields:
            Events by user, time and raw order.
        """
        for file in self._sections():
            section = np.fromfile(file, _ROW)
            file.unlink()
            plays = in_order(_plays_of(section[::-1] if newest_first else section))
            opens = np.flatnonzero(np.diff(plays.user, prepend=-1))
            cuts = opens[np.flatnonzero(np.diff(opens // rows, prepend=0))]
            for start, end in zip([0, *cuts], [*cuts, len(plays)]):
                if end > start:
                    yield Plays(
                        plays.user[start:end],
                        plays.item[start:end],
                        plays.time_us[start:end],
                        plays.rating[start:end],
                    )

    def _sections(self) -> list[Path]:
        """Write the events of neighbouring users into a file each, under the codes of all chunks."""
        counts = np.zeros(self._names["user"].num_rows, np.int64)
        for plays, codes in zip(self._plays_of_users, self._codes["user"]):
            counts[codes] += plays
        size = max(_SECTION, self.rows // _SECTIONS)
        section_of_user = ((np.cumsum(counts) - counts) // size).astype(np.int32)
        numbers = np.unique(section_of_user)
        paths = [self._folder / f"section-{number}" for number in numbers]
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in paths]
            while self._files:
                number = len(self._plays_of_users) - len(self._files)
                part = np.fromfile(self._files[0], _ROW)
                self._files.pop(0).unlink()
                for kind in ("user", "item"):
                    part[kind] = self._codes[kind][number][part[kind]]
                marks = np.searchsorted(numbers, section_of_user[part["user"]])
                part = part[np.argsort(marks, kind="stable")]
                ends = np.cumsum(np.bincount(marks, minlength=len(files)))
                for file, rows in zip(files, np.split(part, ends[:-1])):
                    file.write(rows.data)
        return paths


class _Names:
    """Names of users or items by their first appearance, merged now and then, so that each is kept once."""

    def __init__(self) -> None:
        self._known: pa.Table | None = None
        self._codes: list[Ints] = []
        self._new: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        self._new.append(table)
        known = 0 if self._known is None else self._known.num_rows
        if sum(new.num_rows for new in self._new) > max(known, _MERGED):
            self._merge()

    def all(self) -> tuple[pa.Table, list[Ints]]:
        """All names, and for each table the codes of its rows."""
        self._merge()
        return self._known, self._codes

    def _merge(self) -> None:
        old = [] if self._known is None else [self._known]
        self._known, codes = merge([*old, *self._new])
        self._codes += codes[len(old) :]
        self._new = []


def _rows_of(plays: Plays) -> npt.NDArray[Any]:
    rows = np.empty(len(plays), _ROW)
    for name in _ROW.names or ():
        rows[name] = getattr(plays, name)
    return rows


def _plays_of(rows: npt.NDArray[Any]) -> Plays:
    return Plays(*(np.ascontiguousarray(rows[name]) for name in _ROW.names or ()))
