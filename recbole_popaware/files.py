"""Files that are whole or not there, names that are given once, and what dead processes have left."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from recbole_popaware.errors import UsageError

PART = ".part"
_LEFTOVER = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(PART)}")


def unique_name(stem: str) -> str:
    """Add the time, for people, and digits from the system, so that no two processes choose the same name.

    RecBole's names have the time only, to the second. The digits come from none of the seeded generators.
    """
    return f"{stem}-{datetime.now():%b-%d-%Y_%H-%M-%S}-{secrets.token_hex(4)}"


@contextmanager
def replacing(file: str | os.PathLike[str], *, new: bool = False) -> Iterator[Path]:
    """Write a file under another name and rename it at the end, so that it is never seen half-written.

    The other name is locked while this process lives; :func:`remove_leftovers` knows by that what is dead.

    Args:
        file: The file; an earlier one is replaced, and of a link the file that it leads to.
        new: Refuse to replace one.

    Raises:
        UsageError: If it cannot be written; nothing is left then.
    """
    file = Path(os.path.realpath(file))
    with one_line(f"{file} cannot be written"):
        part, lock = _open_part(file)
        try:
            yield part
            if new:
                file.touch(exist_ok=False)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
            lock.close()


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files of processes that have died, and of no other."""
    for part in folder.glob(f".*{PART}"):
        if _LEFTOVER.fullmatch(part.name) and part.is_file():
            with suppress(OSError), part.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def check_folder(folder: str | os.PathLike[str], what: str) -> Path:
    """Make a folder where it is missing, remove leftovers, and write a little to see that one can.

    Args:
        folder: The folder.
        what: What to call it in the message.

    Raises:
        UsageError: If it cannot be written to.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{what} [{folder}] is a file; name a folder")
    with one_line(f"{what} [{folder}] cannot be written to"):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
    remove_leftovers(folder)
    return folder


def check_file(file: str | os.PathLike[str], what: str) -> Path:
    """Check that a file can be written, before hours are spent on what goes into it.

    Raises:
        UsageError: If it is a folder, or the folder it is to go to is not there or cannot be written to.
    """
    file = Path(file)
    if "\0" in str(file):
        raise UsageError(f"{what} [{file}] holds a null character, as no file's name does")
    with one_line(f"{what} [{file}] cannot be written"):
        if file.is_dir():
            raise UsageError(f"{what} [{file}] is a folder; name a file")
        if file.exists() and not file.is_file():
            raise UsageError(f"{what} [{file}] is no file, but a device or the like")
        folder = Path(os.path.realpath(file)).parent
        if not folder.is_dir():
            raise UsageError(f"{what} [{file}]: the folder {folder} is not there")
    check_folder(folder, f"{what} [{file}]: the folder")
    return file


@contextmanager
def locked(folder: Path, who: str) -> Iterator[None]:
    """Keep a folder to this process, as long as it lives.

    Raises:
        UsageError: If another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another {who} is at work in {folder}; wait for it, or name another") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(descriptor)


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn the system's refusal to read or write into one that a user understands."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error


def _open_part(file: Path) -> tuple[Path, IO[bytes]]:
    while True:
        part = file.with_name(f".{file.name}.{secrets.token_hex(4)}{PART}")
        lock = part.open("xb")
        with suppress(OSError):  # a file system without locks, where nothing is ever removed
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_nlink:
            return part, lock
        lock.close()  # another process has taken it for a leftover, in the moment before it was locked
