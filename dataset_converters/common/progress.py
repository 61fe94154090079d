"""How far the reading of raw data is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")


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
