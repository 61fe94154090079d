"""Room on the disk: what a large log will take is said, and checked, before it is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.progress import say

LARGE = 10_000_000
"""Plays from which on the user is told what is to come."""

# Bytes a play. At least: 9 in the binary file, of an item, a time and a rating, and 9 in columns on the way
# there; in the text ids of one character, a time of ten, a rating of one, and what separates them.
_BINARY, _TEXT = 18, 17
# At the peak of conversions through the disk, as measured; with a text of usual ids too, about; with a
# database to select from, as measured.
_SPILLED, _WITH_TEXT, _SELECTED = 24, 44, 62


def announce_room(out: Path, rows: int, binary_only: bool, selected: bool) -> None:
    """Say what a large log will take, once it is known about how many rows there are to read.

    Args:
        out: The folder of data sets.
        rows: How many, about.
        binary_only: Whether the text is left out.
        selected: Whether a part of them is selected, by a database.
    """
    if rows < LARGE:
        return
    each = _SELECTED if selected else _SPILLED if binary_only else _WITH_TEXT
    needed, left = rows * each, shutil.disk_usage(out).free
    doubt = "" if needed < left else ": that will not do, unless options leave rows out"
    say(f"some {rows:,} rows to read: about {_size(needed)} of disk, and {_size(left)} are left{doubt}")


def check_room(out: Path, plays: int, binary_only: bool) -> None:
    """Check that the disk can take a log, as far as that is known beforehand.

    Args:
        out: The folder of data sets.
        plays: How many are to be written.
        binary_only: Whether the text is left out.

    Raises:
        ConversionError: There is certainly too little room.
    """
    needed, left = plays * (_BINARY + (0 if binary_only else _TEXT)), shutil.disk_usage(out).free
    if needed > left:
        hint = "" if binary_only else ", or give --binary-only, which takes half of that"
        raise ConversionError(
            f"not enough room on the disk of {out}: {plays:,} plays take at least {_size(needed)}, and "
            f"{_size(left)} are left; make room{hint}"
        )
    if plays >= LARGE:
        say(f"writing {plays:,} plays: at least {_size(needed)} of {_size(left)} left on the disk")


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
