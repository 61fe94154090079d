"""The binary form of a log beside its text: found, checked, and made where it is missing or another's.

docs/scaling.md says when it is used and how it is checked.
"""

from __future__ import annotations

from logging import getLogger
from pathlib import Path

from recbole_popaware.data.log_text import IrregularTextError, read_log
from recbole_popaware.errors import UsageError
from recbole_popaware.files import remove_leftovers, replacing
from recbole_popaware.plays.log_file import (
    SUFFIX,
    DamagedLogError,
    OpenLog,
    StoredLog,
    fingerprint,
    is_sealed,
    open_log,
    seal,
    write_log,
)

logger = getLogger(__name__)

SMALLEST_TEXT = 1 << 25
"""Bytes of a text from which on its binary form is made where there is none; others are read fast enough."""


class _UnfitError(ValueError):
    """A binary form that is not that of the text."""


def binary_file(folder: Path, name: str) -> Path:
    """Where the binary form of a data set is."""
    return folder / f"{name}{SUFFIX}"


def find_log(folder: Path, name: str, names: tuple[str, ...], fields: dict[str, str]) -> StoredLog | None:
    """Map the binary form of a log; make it if the text is large, or if there is one that does not fit.

    Args:
        folder: The data set's folder.
        name: Its name.
        names: The fields of user, item, time and, if the log has one, rating.
        fields: Header of the text; what is not there is not looked at.

    Returns:
        The log; ``None`` where it must be read from the text.
    """
    file, text = binary_file(folder, name), folder / f"{name}.inter"
    if not file.exists():
        large = text.is_file() and text.stat().st_size >= SMALLEST_TEXT
        return _made(file, text, names, fields) if large else None
    try:
        return _checked(file, text, names)
    except (DamagedLogError, _UnfitError, OSError) as error:
        logger.info("%s is not used: %s", file, error)
    return _made(file, text, names, fields) if text.is_file() else None


def _checked(file: Path, text: Path, names: tuple[str, ...]) -> StoredLog:
    """Open a file that is that of the text, or of no text if there is none."""
    opened, mtime_ns = open_log(file), None
    if opened.log.names != names:
        raise _UnfitError(f"its fields are {', '.join(opened.log.names)}, not {', '.join(names)}")
    if text.is_file():
        of_text = text.stat()
        if opened.source is None or opened.source.size != of_text.st_size:
            raise _UnfitError("it was made from another text")
        mtime_ns = of_text.st_mtime_ns
    if not is_sealed(file, opened.checksum, mtime_ns):  # a copy, or changed
        _check_content(opened, text)
        seal(file, opened.checksum, mtime_ns)
    return opened.log


def _check_content(opened: OpenLog, text: Path) -> None:
    if text.is_file() and fingerprint(text) != opened.source:
        raise _UnfitError("it was made from another text")
    if opened.log.checksum() != opened.checksum:
        raise _UnfitError("it is damaged")


def _made(file: Path, text: Path, names: tuple[str, ...], fields: dict[str, str]) -> StoredLog | None:
    """Write the binary form of a text and map it; ``None`` if that cannot be."""
    try:
        with replacing(file) as part:
            remove_leftovers(file.parent)
            before, source = text.stat(), fingerprint(text)
            write_log(part, read_log(text, fields, names), source, before.st_mtime_ns)
            after = text.stat()
            if (after.st_size, after.st_mtime_ns) != (source.size, before.st_mtime_ns):
                raise IrregularTextError(f"{text} changed while it was read")
        logger.info("%s was made, which is mapped from now on", file)
        return open_log(file).log
    except (IrregularTextError, DamagedLogError, UsageError, OSError) as error:
        logger.info("%s is read as text: %s", text, error)
        return None
