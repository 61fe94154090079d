"""The graded value of each raw event."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import LARGEST_RATING


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
        if not (event and separator) or event in ratings or not abs(rating) <= LARGEST_RATING:
            raise ConversionError(
                f"--ratings {text!r}: {entry.strip()!r} is not understood; "
                "write EVENT=NUMBER, each event once, separated by commas, e.g. 1=1,2=2; "
                f"numbers up to {LARGEST_RATING:,.0f}"
            )
        ratings[event] = rating
    return ratings


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
    place = pc.index_in(events, value_set=pa.array(list(ratings), pa.string()))
    known = pc.or_(pc.is_valid(place), pc.is_null(events))
    for entry in pc.value_counts(events.filter(pc.invert(known))).to_pylist():
        reason = f"{kind} {entry['values'][:40] or 'missing'} not among --ratings ({', '.join(ratings)})"
        ledger.drop(reason, entry["counts"], f"other {kind} not among --ratings")
    return pa.array(list(ratings.values()), pa.float64()).take(place), known
