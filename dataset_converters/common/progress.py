"""How far a conversion is: told by whoever reads, and shown to whoever waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

Made = TypeVar("Made")

SECONDS = 60.0
"""How often a line says how far a long step is, where there is no terminal for a bar."""


@dataclass
class Progress:
    """A meter that whoever reads keeps up to date.

    Attributes:
        done: The part that is read, in [0, 1]; 0 while nobody knows.
    """

    done: float = 0.0


def read_each(
    paths: Sequence[Path], read: Callable[[Path, Progress], Iterable[Made]], progress: Progress
) -> Iterator[Made]:
    """Yield what is read from one file after the other.

    Args:
        paths: The files, at least one.
        read: Reads one of them, and keeps the progress within it.
        progress: That of all files together, each taken for the same size.
    """
    for index, path in enumerate(paths):
        within = Progress()
        for made in read(path, within):
            progress.done = (index + within.done) / len(paths)
            yield made


class RowBar:
    """Rows, rate and time left: a bar on a terminal, and elsewhere a line a minute.

    Args:
        doing: What is going on.
        total: Number of rows, if it is known.
    """

    def __init__(self, doing: str, total: int | None = None) -> None:
        self._doing, self.total, self.rows = doing, total, 0
        self._bar = tqdm(desc=doing, total=total, unit=" rows", unit_scale=True, disable=None)
        self._start = self._told = time.monotonic()

    def __enter__(self) -> RowBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def add(self, rows: int) -> None:
        """Count rows that are done."""
        self.rows += rows
        if not self._bar.disable:
            self._bar.total = self.total
            self._bar.update(rows)
        elif (now := time.monotonic()) - self._told >= SECONDS:
            self._told = now
            self._say(self.rows / (now - self._start))

    def _say(self, rate: float) -> None:
        of, left = "", ""
        if self.total:
            of = f" of {self.total:,}"
            left = f", {max(self.total - self.rows, 0) / rate / 60:.0f} minutes left"
        say(f"{self._doing}: {self.rows:,}{of} rows, {rate:,.0f} a second{left}")


def say(line: str) -> None:
    """Print a line on standard error, above any bar of progress."""
    tqdm.write(line, file=sys.stderr)
