"""A log in a file that is mapped, not loaded; docs/scaling.md describes it.

The file is in Arrow's IPC format: one record batch, not compressed, with a row for every user in the order
of RecBole's numbers. The row of number 0, ``[PAD]``, has no plays. Columns: the user's id; the items of the
user's plays, as numbers of a dictionary of the items' ids; their times; and their ratings, if the log has
ratings. So the numbers of all plays lie one behind the other in the file, as they are used.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

SUFFIX = ".inter.arrow"
"""What follows the name of the data set in the name of the file."""

PADDING = "[PAD]"
_VERSION = 1
_KEY, _RENUMBERED = b"recbole_popaware", (b"users_with_positive_plays", b"items_with_positive_plays")
_BLOCK, _SECOND = 1 << 24, 10**9
NARROW: tuple[type[Any], ...] = (np.int8, np.int32, np.float64)
"""Types of times and of ratings: the first one that holds all of them exactly."""


class DamagedLogError(ValueError):
    """A file that is none of these, not whole, or of another version."""


class Fingerprint(NamedTuple):
    """What tells a text from another one: its size in bytes, and the SHA-256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True)
class StoredLog:
    """All plays of a log, by user and then by time; plays of a user at one time keep the order of the text.

    Attributes:
        names: The fields: user, item, time and, if there is one, rating.
        user_ids: ``[n_users]`` id of each user's number, ``[PAD]`` first.
        item_ids: ``[n_items]`` id of each item's number, ``[PAD]`` first.
        starts: ``[n_users + 1]`` offset of each user's first play, int64.
        items: ``[P]`` number of each play's item, int32.
        times: ``[P]`` its time, of one of the types in :data:`NARROW`.
        ratings: ``[P]`` its rating, likewise; ``None``: the log has no ratings.
        renumbered: The numbers that users ``[n_users]`` and items ``[n_items]`` get if plays with a rating of
            0 or less are left out, 0 for those without any other; ``None``: there are no such plays.
    """

    names: tuple[str, ...]
    user_ids: pa.Array
    item_ids: pa.Array
    starts: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray | None = None
    renumbered: tuple[np.ndarray, np.ndarray] | None = None

    def checksum(self, let_go: Callable[[], None] = lambda: None) -> str:
        """SHA-256 of all that is stored.

        Args:
            let_go: Called now and then, for mapped columns of which no part need stay in memory.
        """
        sizes = len(self.user_ids), len(self.item_ids), len(self.items)
        digest = hashlib.sha256(repr((self.names, sizes)).encode())
        for ids in (self.user_ids, self.item_ids):
            for buffer in ids.buffers()[1:]:
                digest.update(buffer)
        columns = (self.starts, self.items, self.times, self.ratings, *(self.renumbered or ()))
        for column in columns:
            if column is not None:
                digest.update(str(column.dtype).encode())
                for start in range(0, len(column), _BLOCK):
                    digest.update(column[start : start + _BLOCK].tobytes())
                    let_go()
        return digest.hexdigest()


class OpenLog(NamedTuple):
    """A stored log, mapped.

    Attributes:
        log: Its columns lie in the file.
        source: Fingerprint of the text it was made from; ``None``: it was made without one.
        checksum: What :meth:`StoredLog.checksum` was when it was written.
    """

    log: StoredLog
    source: Fingerprint | None
    checksum: str


def fingerprint(file: Path) -> Fingerprint:
    """Read a text as a whole."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as text:
        while block := text.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Fingerprint(size, digest.hexdigest())


def narrow(values: np.ndarray, kinds: Sequence[type[Any]] = NARROW) -> np.ndarray:
    """The same values in the first of some types that holds all of them exactly."""
    for kind in kinds[:-1]:
        if fits(values, kind):
            return values.astype(kind, copy=False)
    return values.astype(kinds[-1], copy=False)


def fits(values: np.ndarray, kind: type[Any]) -> bool:
    """Whether a type holds all values exactly."""
    limits = np.iinfo(kind)
    blocks = (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))
    return all(
        limits.min <= block.min() and block.max() <= limits.max and bool((block == block.astype(kind)).all())
        for block in blocks
    )


def numbers_by_appearance(first: np.ndarray, never: int) -> np.ndarray:
    """Number things from 1 by the row ``first`` ``[n]`` where each appears; 0 where that is ``never``."""
    numbers = np.zeros(len(first), np.int32)
    appear = np.flatnonzero(first != never)
    numbers[appear[np.argsort(first[appear], kind="stable")]] = np.arange(1, len(appear) + 1)
    return numbers


def with_padding(ids: Iterable[str] | pa.Array) -> pa.Array:
    """Ids behind that of the padding."""
    texts = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.large_string())
    return pa.concat_arrays([pa.array([PADDING], pa.large_string()), texts.cast(pa.large_string())])


class _Pieces:
    """A file that is written in pieces, with a call after each."""

    def __init__(self, file: BinaryIO, written: Callable[[], None]) -> None:
        self._file, self._written, self.closed = file, written, False

    def write(self, data: Any) -> int:
        piece = memoryview(data)
        for start in range(0, len(piece), _BLOCK):
            self._file.write(piece[start : start + _BLOCK])
            self._written()
        return len(piece)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()


def write_log(
    file: Path,
    log: StoredLog,
    source: Fingerprint | None = None,
    text_mtime_ns: int | None = None,
    let_go: Callable[[], None] = lambda: None,
) -> None:
    """Write a log; whoever calls this sees to it that the file appears as a whole.

    Args:
        file: The file.
        log: Its columns may be mapped; they are not copied.
        source: Fingerprint of the text, if there is one.
        text_mtime_ns: When the text was modified.
        let_go: See :meth:`StoredLog.checksum`.
    """
    checksum = log.checksum(let_go)
    facts = {"version": _VERSION, "source": source, "checksum": checksum}
    metadata = {_KEY: json.dumps(facts).encode()}
    for key, numbers in zip(_RENUMBERED, log.renumbered or ()):
        metadata[key] = numbers.astype(np.int32).tobytes()
    offsets = pa.array(log.starts, pa.int64())
    items = pa.DictionaryArray.from_arrays(pa.array(log.items), log.item_ids, safe=False)
    plays = [items, pa.array(log.times), *([] if log.ratings is None else [pa.array(log.ratings)])]
    lists = [pa.LargeListArray.from_arrays(offsets, values) for values in plays]
    batch = pa.RecordBatch.from_arrays([log.user_ids, *lists], names=list(log.names))
    batch = batch.replace_schema_metadata(metadata)
    with file.open("wb") as out, pa.ipc.new_file(_Pieces(out, let_go), batch.schema) as writer:
        writer.write_batch(batch)
    seal(file, checksum, text_mtime_ns)


def seal(file: Path, checksum: str, text_mtime_ns: int | None) -> None:
    """Mark a file as checked by its time of modification, which whoever changes the file changes.

    It is that of the text. Without a text, the digits after the second are given by the checksum.
    """
    if text_mtime_ns is None:
        text_mtime_ns = file.stat().st_mtime_ns // _SECOND * _SECOND + _digits(checksum)
    with suppress(OSError):  # of another owner; it is then checked again each time
        os.utime(file, ns=(text_mtime_ns, text_mtime_ns))


def is_sealed(file: Path, checksum: str, text_mtime_ns: int | None) -> bool:
    """Whether a file has been checked and not changed since."""
    mtime_ns = file.stat().st_mtime_ns
    return mtime_ns == text_mtime_ns if text_mtime_ns is not None else mtime_ns % _SECOND == _digits(checksum)


def open_log(file: Path) -> OpenLog:
    """Map a log.

    Raises:
        DamagedLogError: The file is no log of this version.
        OSError: It cannot be read.
    """
    try:
        with file.open("rb") as opened:  # not by Arrow, which knows names that are text only
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        batch = pa.ipc.open_file(pa.py_buffer(mapped)).get_batch(0)
        metadata = batch.schema.metadata or {}
        facts = json.loads(metadata[_KEY])
        if facts["version"] != _VERSION:
            raise DamagedLogError(f"{file} is of version {facts['version']}, not {_VERSION}")
        source = None if facts["source"] is None else Fingerprint(*facts["source"])
        return OpenLog(_log_of(batch, metadata), source, str(facts["checksum"]))
    except (pa.ArrowException, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise DamagedLogError(f"{file} is no whole log: {' '.join(str(error).split())[:200]}") from error


def _digits(checksum: str) -> int:
    return int(checksum[:12], 16) % _SECOND


def _log_of(batch: pa.RecordBatch, metadata: dict[bytes, bytes]) -> StoredLog:
    users, items, *rest = batch.columns
    for part in (batch, items.values.dictionary):
        part.validate()  # so that no column is longer than what is in the file
    columns = [items.values.indices, *(column.values for column in rest)]
    numbers = [column.to_numpy(zero_copy_only=True) for column in columns]
    starts = items.offsets.to_numpy(zero_copy_only=True)
    if not _is_whole(starts, len(users), numbers):
        raise DamagedLogError("its columns do not fit together")
    renumbered = None
    if _RENUMBERED[0] in metadata:
        of_users, of_items = (np.frombuffer(metadata[key], np.int32) for key in _RENUMBERED)
        renumbered = of_users, of_items
    names, ids, ratings = tuple(batch.schema.names), items.values.dictionary, numbers[2:]
    return StoredLog(
        names, users, ids, starts, numbers[0], numbers[1], ratings[0] if ratings else None, renumbered
    )


def _is_whole(starts: np.ndarray, n_users: int, columns: list[np.ndarray]) -> bool:
    n_plays = len(columns[0])
    return (
        len(columns) in (2, 3)
        and len(starts) == n_users + 1
        and starts[0] == 0
        and starts[-1] == n_plays
        and bool((np.diff(starts) >= 0).all())
        and all(len(column) == n_plays for column in columns)
    )
