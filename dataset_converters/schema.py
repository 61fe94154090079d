"""The output contract: what a source hands over and which RecBole fields are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from dataset_converters.errors import ConversionError

EVENTS = pa.schema(
    [
        ("user", pa.string()),
        ("item", pa.string()),
        ("time_us", pa.int64()),  # microseconds since 1970-01-01 UTC
        ("rating", pa.float64()),
    ]
)
"""Columns of the batches that every source yields; nulls are allowed and counted later."""

INTER_FIELDS = ("user_id:token", "item_id:token", "timestamp:float", "rating:float")

EVENT_RATINGS = {"like": 2.0, "play": 1.0, "skip": -1.0, "dislike": -2.0}
"""Graded value of each kind of event, as in the paper (section 4)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass
class RawLog:
    """What a source read, or will read, from the raw data.

    Attributes:
        batches: Record batches with the columns of ``EVENTS``, consumed once. Events that share
            user and time keep the order in which they are yielded.
        items: Features of items, first column ``item_id``; ``None`` where the source has none.
    """

    batches: Iterable[pa.RecordBatch]
    items: pa.Table | None = None


def check_name(name: str) -> str:
    """Return the name of the data set if it can serve as folder, file and RecBole name.

    Raises:
        ConversionError: It holds anything but ASCII letters, digits, ``_``, ``-`` and ``.``.
    """
    if not _NAME.fullmatch(name):
        raise ConversionError(
            f"--name {name!r} cannot name a data set: "
            "use letters, digits, '_', '-' and '.', beginning with a letter or digit"
        )
    return name


def parse_ratings(text: str) -> dict[str, float]:
    """Read ``"play=1,like=2"`` into a table from raw event to rating.

    Raises:
        ConversionError: An entry is not ``EVENT=NUMBER``, or an event is given twice.
    """
    ratings: dict[str, float] = {}
    for entry in text.split(","):
        event, separator, value = (part.strip() for part in entry.rpartition("="))
        try:
            rating = float(value)
        except ValueError:
            rating = float("nan")
        if not (event and separator) or event in ratings or abs(rating) > 1e6 or rating != rating:
            raise ConversionError(
                f"--ratings {text!r}: {entry.strip()!r} is not understood; "
                "write EVENT=NUMBER, each event once, separated by commas, e.g. 1=1,2=2"
            )
        ratings[event] = rating
    return ratings
