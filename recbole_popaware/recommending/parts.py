"""Lists in parts: a file each, which several processes share among them and none makes twice.

A part is a file of a folder of histories, or every n-th batch of the users. The batches of a part are the
same whoever makes it: the rows of n processes are those of one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from logging import getLogger
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recbole_popaware.compat import needs_ray
from recbole_popaware.errors import UsageError
from recbole_popaware.files import check_folder
from recbole_popaware.recommending.columns import complaints_of
from recbole_popaware.recommending.options import EVERYBODY, RAY, Options, Shard, Users
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.writer import is_folder, write

logger = getLogger(__name__)

# Options that say how lists are made, and not which.
_OF_THE_RUN = ("history", "shard", "tool", "ray_address", "workers", "device", "show_progress")
_MADE_FROM = b"recbole_popaware.made_from"  # in the metadata of a part's file


@dataclass
class Counts:
    """What was done.

    Attributes:
        users: Users with new lists.
        without: Those of them who got the popular items.
        skipped: Parts that were there already.
    """

    users: int = 0
    without: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, recommender: Recommender, numbers: np.ndarray) -> Counts:
        """Users of some numbers ``[U]``."""
        return cls(len(numbers), int((~recommender.have_plays(numbers)).sum()))

    def __str__(self) -> str:
        text = f"{self.users:,} users"
        if self.without:
            text += f", {self.without:,} of them not known or without plays: they get the popular items"
        if self.skipped:
            text += f"; {self.skipped:,} files were there already"
        return text


def write_lists(recommender: Recommender, users: Users, output: Path, options: Options) -> Counts:
    """Make lists and write them.

    Args:
        recommender: Makes the lists, with the options.
        users: As :meth:`~.recommender.Recommender.select` takes them.
        output: A file that :func:`~.writer.check_output` has checked, or a folder, which gets a file a part
            and keeps those that it has.
        options: What the lists depend on, and which share of them is wanted.

    Raises:
        UsageError: If something cannot be read or written, or a file of the folder comes from other histories
            or options. What is finished stays; nothing is half-written.
    """
    of_lists = {field.name: getattr(options, field.name) for field in fields(options)}
    for name in _OF_THE_RUN:
        del of_lists[name]
    made_from = f"{of_lists} {recommender.rules} {_digest(recommender.checkpoint)} {users}"
    if options.tool == RAY:
        with needs_ray():
            from recbole_popaware.recommending import ray_lists

        return ray_lists.write_lists(recommender, users, output, made_from, options)
    parts = Parts(recommender, users, Shard() if options.shard is None else Shard.parse(options.shard))
    parts.write(output, made_from)
    return parts.counts


class Parts:
    """The parts of a shard.

    Args:
        recommender: Makes the lists.
        users: As :meth:`~.recommender.Recommender.select` takes them.
        shard: Which parts.

    Attributes:
        by_file: Whether each file of the histories is a part.
        counts: What was done.
    """

    def __init__(self, recommender: Recommender, users: Users, shard: Shard) -> None:
        self._made, self._users, self._shard = recommender, users, shard
        self.by_file = recommender.in_parts and isinstance(users, str) and users == EVERYBODY
        self._seen = np.empty(0, dtype=np.uint64)
        self.counts = Counts()

    def write(self, output: Path, made_from: str) -> None:
        """Write all parts into one file, or into a folder those that it does not have.

        Args:
            output: A file that :func:`~.writer.check_output` has checked, or a folder.
            made_from: Text that says what else the lists depend on.

        Raises:
            UsageError: If something cannot be read or written, or a file of the folder comes from other
                histories or options. What is finished stays; nothing is half-written.
        """
        if not is_folder(output):
            write(output, self._made.schema, (t for _, source in self._each() for t in self._tables(source)))
            return
        self._check_others(output)
        for name, source in self._each():
            self._write_part(output / name, source, made_from)

    def _check_others(self, folder: Path) -> None:
        """Check that a folder has no lists of the same users in another number of parts."""
        if self.by_file:
            return
        ending = "lists.parquet" if self._shard.of == 1 else f"-of-{self._shard.of:05}.parquet"
        others = sorted(f.name for f in folder.glob("lists*.parquet") if not f.name.endswith(ending))
        if others:
            raise UsageError(
                f"{folder} holds lists in another number of parts, such as {others[0]}; name another folder"
            )

    def _write_part(self, file: Path, source: Path | None, made_from: str) -> None:
        sources = self._made.files if source is None else [source]
        stamps = [(path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
        digest = hashlib.sha256(f"{made_from} {stamps}".encode()).hexdigest().encode()
        if file.exists():
            with complaints_of(file):
                before = (pq.read_schema(file).metadata or {}).get(_MADE_FROM)
            if before != digest:
                raise UsageError(
                    f"{file} holds lists of another checkpoint, history or choice of options; "
                    f"name another folder"
                )
            self.counts.skipped += 1
            return
        check_folder(file.parent, "output")
        write(file, self._made.schema.with_metadata({_MADE_FROM: digest}), self._tables(source))

    def _each(self) -> Iterator[tuple[Path, Path | None]]:
        """Name of each part's file in a folder, and the file of its histories."""
        number, of = self._shard.number, self._shard.of
        if self.by_file:
            folder = Path(os.path.commonpath([file.parent for file in self._made.files]))
            for file in self._made.files[number - 1 :: of]:
                yield file.relative_to(folder), file
        else:
            yield Path("lists.parquet" if of == 1 else f"lists-{number:05}-of-{of:05}.parquet"), None

    def _tables(self, source: Path | None) -> Iterator[pa.Table]:
        if source is None:
            ids, numbers = self._made.select(self._users)
            own = self._shard.indices(len(ids), self._made.batch_size)
            ids, numbers = ids[own], numbers[own]
        else:
            self._made.use_history([source])
            ids, numbers = self._made.select(EVERYBODY)
            self._check_new(source, ids)
        of_part = Counts.of(self._made, numbers)
        self.counts.users += of_part.users
        self.counts.without += of_part.without
        yield from self._made.tables(ids, numbers)

    def _check_new(self, source: Path, ids: np.ndarray) -> None:
        """Check that no user was in an earlier file, by hashes of the ids."""
        hashes = pd.util.hash_array(ids)
        again = np.isin(hashes, self._seen)
        if again.any():
            raise UsageError(
                f"history {source}: user [{ids[again][0]}] has plays in another file too, but each user's "
                f"plays must be in one file of a folder"
            )
        self._seen = np.concatenate([self._seen, hashes])


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
