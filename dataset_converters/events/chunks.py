"""A million events at a time: texts become codes, and each text is kept once.

Shapes: P plays; see docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataset_converters.common.schema import EVENTS
from dataset_converters.common.tokens import escape_tokens

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plays:
    """Events as columns, ``[P]``.

    Attributes:
        user: Code of each user, a whole number from 0.
        item: Code of each item, likewise.
        time_us: Microseconds since 1970.
        rating: Ratings.
    """

    user: Ints
    item: Ints
    time_us: Longs
    rating: Floats

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> Plays:
        """Return the events of some rows, in their order."""
        return Plays(self.user[rows], self.item[rows], self.time_us[rows], self.rating[rows])


@dataclass(frozen=True)
class Chunk:
    """Events whose users and items are coded by their first appearance in this chunk.

    Attributes:
        plays: The events in raw order.
        texts: For ``user`` and ``item`` a table with the column ``text``, the token of each code;
            for items also what the first event says about them.
    """

    plays: Plays
    texts: dict[str, pa.Table]

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return 24 * len(self.plays) + sum(int(table.nbytes) for table in self.texts.values())


def encode_chunk(batches: list[pa.RecordBatch]) -> Chunk:
    """Code the users and items of batches.

    Args:
        batches: Columns of ``schema.EVENTS`` without nulls, and texts about the item behind them.
    """
    table = pa.Table.from_batches(batches, batches[0].schema if batches else EVENTS)
    about = table.column_names[len(EVENTS) :]
    user, users = _encode(table, "user", [])
    item, items = _encode(table, "item", about)
    time_us, rating = (table[name].to_numpy() for name in ("time_us", "rating"))
    return Chunk(Plays(user, item, time_us, rating), {"user": users, "item": items})


def first_rows(codes: npt.NDArray[Any], count: int) -> Longs:
    """Return the first row of each code, for codes 0 to ``count`` - 1 that all occur."""
    first = np.empty(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first


def code_texts(texts: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Return the code of each text, by first appearance, and the distinct texts by code."""
    encoded = texts.dictionary_encode()
    codes = [np.zeros(0, np.int32), *(chunk.indices.to_numpy() for chunk in encoded.chunks)]
    dictionary = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], texts.type)
    return np.concatenate(codes), dictionary


def _encode(table: pa.Table, kind: str, about: list[str]) -> tuple[Ints, pa.Table]:
    """Return the code of each row's text, and the texts by code with what is said about them."""
    codes, texts = code_texts(table[kind])
    columns = {"text": escape_tokens(texts)}
    if about:
        first = pa.array(first_rows(codes, len(texts)))
        columns.update((name, table[name].take(first)) for name in about)
    return codes, pa.table(columns)


def in_order(plays: Plays) -> Plays:
    """Sort stably by user and time.

    Args:
        plays: At least one event.

    Returns:
        The same events; those of one user and microsecond keep their order.
    """
    user = plays.user.astype(np.int64) - int(plays.user.min())
    since = plays.time_us - plays.time_us.min()
    span = int(since.max()) + 1
    if (int(user.max()) + 1) * span < 2**63:  # both fit into one number, which sorts at twice the speed
        key = user * span + since
        if bool((key[1:] >= key[:-1]).all()):
            return plays
        return plays.take(np.argsort(key, kind="stable"))
    return plays.take(np.lexsort((since, user)))
