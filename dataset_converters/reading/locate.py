"""Find the raw file of a source: itself, in a folder, or in an archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.progress import Progress
from dataset_converters.reading.streams import RawFile, is_tar, is_there, tar_members

_PACKED = ("", ".gz", ".bz2", ".zst")


def find_raw(raw: Path, names: Sequence[str]) -> Path:
    """Return the file to read: ``raw`` itself, or the first of ``names`` in that folder.

    Args:
        raw: RAW of the command line.
        names: File names, tried in order, each also packed.

    Raises:
        ConversionError: There is nothing of the kind.
    """
    if not raw.is_dir():
        return raw
    for name in names:
        for suffix in _PACKED:
            if is_there(raw / f"{name}{suffix}"):
                return raw / f"{name}{suffix}"
    raise ConversionError(f"{raw} is a folder without {' or '.join(names)}; give the file itself")


def open_members(path: Path, names: Sequence[str], progress: Progress) -> Iterator[tuple[str, Any]]:
    """Yield name and stream of the files wanted: of an archive those named, else the file itself.

    Args:
        path: An archive, or a file that is taken for the first of ``names``.
        names: Names in the archive, the first one needed.
        progress: Updated with how much is read.

    Yields:
        The name from ``names``, and what to read before the next is asked for.

    Raises:
        ConversionError: The file is missing or damaged, or the archive lacks the first name.
    """
    if not is_tar(path):
        with RawFile(path, progress) as stream:
            yield names[0], stream
        return
    seen = []
    for name, member in tar_members(path, progress):
        if name in names:
            seen.append(name)
            yield name, member
    if names[0] not in seen:
        raise ConversionError(f"{path} is an archive without {names[0]}")


def list_files(raw: Path, suffixes: Sequence[str], ledger: Ledger) -> list[Path]:
    """Return the file, or the files of a folder in the order of their names.

    Args:
        raw: File or folder.
        suffixes: Ends of names that are read from a folder, each also packed.
        ledger: Notes what is passed over.

    Raises:
        ConversionError: The folder has no such file.
    """
    if not raw.is_dir():
        return [raw]
    ends = tuple(f"{suffix}{packed}" for suffix in suffixes for packed in _PACKED)
    paths = sorted(path for path in raw.iterdir() if not path.name.startswith("."))
    folders = [path for path in paths if path.is_dir()]
    chosen = [path for path in paths if path.name.lower().endswith(ends) and is_there(path)]
    others = len(paths) - len(folders) - len(chosen)
    ledger.note(f"files of {raw.name} passed over, not {', '.join(suffixes)}", others)
    ledger.note(f"folders in {raw.name} passed over", len(folders))
    if not chosen:
        raise ConversionError(f"{raw} is a folder without files that end in {', '.join(suffixes)}")
    return chosen
