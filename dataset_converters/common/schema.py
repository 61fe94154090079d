"""What a source hands over, and which RecBole fields are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.progress import Progress

EVENTS = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("time_us", pa.int64()),  # microseconds since 1970-01-01 UTC
        ("rating", pa.float64()),
    ]
)
"""First columns of the batches that every source yields; nulls are allowed and counted later."""

INTER_FIELDS = ("user_id:token", "item_id:token", "timestamp:float", "rating:float")

EVENT_RATINGS = {"like": 2.0, "play": 1.0, "skip": -1.0, "dislike": -2.0}
"""Graded value of each kind of event, as in the paper (section 4)."""

LARGEST_RATING = 1e9
"""Ratings are in [-1e9, 1e9]: their squares and the sums of those fit into 32-bit floats."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def no_users() -> None:
    """Return that there are no features of users."""


@dataclass(frozen=True)
class RawLog:
    """A raw log, opened.

    Attributes:
        batches: Record batches with the columns of ``EVENTS``, consumed once. String columns after
            those describe the item; an item's first event counts.
        items: Features of items, first column ``item_id``; ``None`` where the source has none.
        users: Returns the features of users, first column ``user_id``, likewise. An archive may have
            them behind the events, so it is called when ``batches`` are consumed.
        newest_first: Whether of events of one user and time the raw data has the later one first.
        made_up: Whether times may be in the future.
        progress: Kept up to date by ``batches``.
    """

    batches: Iterable[pa.RecordBatch]
    items: pa.Table | None = None
    users: Callable[[], pa.Table | None] = no_users
    newest_first: bool = False
    made_up: bool = False
    progress: Progress = field(default_factory=Progress)


def events_batch(
    user: pa.Array, item: pa.Array, time_us: pa.Array, rating: pa.Array, **about_item: pa.Array
) -> pa.RecordBatch:
    """Put columns together as a batch that a source may yield."""
    fields = [*EVENTS, *(pa.field(name, pa.string()) for name in about_item)]
    return pa.RecordBatch.from_arrays(
        [user, item, time_us, rating, *about_item.values()], schema=pa.schema(fields)
    )


def check_name(name: str) -> str:
    """Return the name of the data set if it can serve as folder, file and RecBole name.

    Raises:
        ConversionError: It has anything but ASCII letters, digits, ``_``, ``-`` and ``.``.
    """
    if not _NAME.fullmatch(name):
        raise ConversionError(
            f"--name {name!r} cannot name a data set: "
            "use letters, digits, '_', '-' and '.', beginning with a letter or digit"
        )
    return name
