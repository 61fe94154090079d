"""The folder that a conversion works in, and the moment in which its files become a data set."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dataset_converters.common.errors import ConversionError

SUFFIXES = (".inter", ".inter.arrow", ".item", ".user", ".yaml", ".stats.json", ".rejects")
"""Files of a data set that a new conversion replaces. Without the first two there is no data set."""

_LOCK = "lock"
_TRIES, _PAUSE = 20, 0.05  # another process may lock a folder for an instant, to clean it away


@contextmanager
def new_folder(out: Path, name: str, overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder to fill; its files move to ``out/name`` if the block ends without an error.

    The folder belongs to one process at a time. What killed processes have left in ``out`` is removed.

    Args:
        out: Folder of data sets, made if missing.
        name: Name of the data set.
        overwrite: Whether files of an earlier conversion may be replaced.

    Yields:
        The folder to fill.

    Raises:
        ConversionError: ``out/name`` is a data set already or is being written, or a file is in
            the way.
    """
    target = out / name
    if out.exists() and not out.is_dir():
        raise ConversionError(f"{out} is a file; OUT must be a folder, which is made if missing")
    with suppress(OSError):
        _remove_remains(out)
    with _claimed(out / f".{name}.partial", f"another conversion is writing {target}", _TRIES) as folder:
        _check(target, overwrite)
        yield folder
        _exchange(folder, target)


def _check(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise ConversionError(f"{target} exists and is not a folder; choose another --name")
    files = _files(target)
    if any(file.exists() for file in files[:2]) and not overwrite:
        raise ConversionError(f"{target} holds a data set already; give --overwrite or --name")
    for file in files:
        if file.is_dir():
            raise ConversionError(f"{file} is a folder, where a file is to go; choose another --name")


def _files(target: Path) -> list[Path]:
    return [target / f"{target.name}{suffix}" for suffix in SUFFIXES]


def _exchange(folder: Path, target: Path) -> None:
    """Replace the old files by the new ones; the log goes first and comes last.

    So whoever looks in between, or after a kill, sees no data set rather than a mixture of two. If a
    step fails, those before are undone.
    """
    old = folder / "old"
    old.mkdir()
    with ExitStack() as undo:
        if _make(target):
            undo.callback(target.rmdir)
        for file in _files(target):
            _move(file, old / file.name, undo)
        for file in reversed(_files(target)):
            _move(folder / file.name, file, undo)
        undo.pop_all()


def _move(source: Path, to: Path, undo: ExitStack) -> None:
    undo.callback(_rename, to, source)
    _rename(source, to)


def _rename(source: Path, to: Path) -> None:
    if source.is_symlink() or source.exists():
        source.replace(to)


def _remove_remains(out: Path) -> None:
    """Remove the folders of conversions that were killed; those of living processes are locked."""
    for lock in out.glob(f".*.partial/{_LOCK}"):
        with suppress(ConversionError), _claimed(lock.parent, "in use", tries=1):
            pass


@contextmanager
def _claimed(folder: Path, busy: str, tries: int) -> Iterator[Path]:
    """Lock a folder for this process: empty at the beginning, removed at the end.

    Raises:
        ConversionError: Another process has locked it.
    """
    lock = _lock(folder, busy, tries)
    try:
        _empty(folder)
        yield folder
    finally:
        try:
            with suppress(OSError):
                _empty(folder)
                (folder / _LOCK).unlink()  # last, since whoever makes a new one has the folder
                folder.rmdir()
        finally:
            os.close(lock)


def _lock(folder: Path, busy: str, tries: int) -> int:
    """Return an open file whose lock ends with this process, however it ends."""
    for _ in range(tries):
        made = _make(folder)
        with suppress(FileNotFoundError):  # the holder before us has just removed the folder
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            if _is_ours(lock, folder, made):
                return lock
            os.close(lock)
        time.sleep(_PAUSE)
    raise ConversionError(f"{busy}: wait for it, or give another --name ({folder} is in use)")


def _is_ours(lock: int, folder: Path, made: bool) -> bool:
    """Lock a file, and say whether that worked and the file is still the folder's."""
    try:
        _flock(lock)
    except BlockingIOError:
        return False
    except OSError:  # a disk without locks: who made the folder has it, and no one cleans it away
        return made
    try:
        return os.path.samestat(os.fstat(lock), (folder / _LOCK).stat())
    except FileNotFoundError:
        return False


def _flock(file: int) -> None:
    if sys.platform == "win32":
        raise OSError("no locks of this kind")
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _make(folder: Path) -> bool:
    """Make a folder if it is missing, and return whether it was."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
