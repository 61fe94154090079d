"""The graded value of each raw event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.readers import read_number, read_text
from dataset_converters.common.schema import LARGEST_RATING

_NEEDED = (
    "write EVENT=NUMBER, each event once, separated by commas, e.g. 1=1,2=2; "
    f"numbers up to {LARGEST_RATING:,.0f}"
)


def read_ratings(value: object) -> dict[str, float]:
    """Read the rating of each raw event from ``"play=1,like=2"``, or from a mapping.

    Raises:
        ValueError: An entry is not ``EVENT=NUMBER``, or an event appears twice, or there is none.
    """
    ratings: dict[str, float] = {}
    for event, rating in value.items() if isinstance(value, Mapping) else _entries(read_text(value)):
        name = str(event) if isinstance(event, Integral) else read_text(event)
        number = read_number(rating)
        if not name or name in ratings or not abs(number) <= LARGEST_RATING:
            raise ValueError(f"{f'{name}={rating}'.strip('=')!r} is not understood; {_NEEDED}")
        ratings[name] = number
    if not ratings:
        raise ValueError(_NEEDED)
    return ratings


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for entry in text.split(","):
        event, _, rating = entry.rpartition("=")
        yield event.strip(), rating.strip()


EventRatings = Annotated[
    dict[str, float],
    Option(
        read_ratings,
        "rating of each event; other events are dropped; default: like=2,play=1,skip=-1,dislike=-2",
        "EVENT=RATING,...",
    ),
]
"""Type of an option: the rating of each event by name."""


def rate_events(
    events: pa.Array, ratings: dict[str, float], ledger: Ledger, kind: str = "event"
) -> tuple[pa.Array, pa.Array]:
    """Look the ratings of events up, and count the events that have none.

    Args:
        events: String column; a missing event is no reason to drop yet.
        ratings: Rating of each known event.
        ledger: Counts the unknown events by name.
        kind: What the source calls an event, for the reason.

    Returns:
        Ratings, null where there is none, and the mask of events to keep.
    """
    index = pc.index_in(events, value_set=pa.array(list(ratings), pa.string()))
    known = pc.or_(pc.is_valid(index), pc.is_null(events))
    for entry in pc.value_counts(events.filter(pc.invert(known))).to_pylist():
        reason = f"{kind} {entry['values'][:40] or 'missing'} not among --ratings ({', '.join(ratings)})"
        ledger.drop(reason, entry["counts"], f"other {kind} not among --ratings")
    return pa.array(list(ratings.values()), pa.float64()).take(index), known
