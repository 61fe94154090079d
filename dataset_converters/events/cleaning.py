"""What every source's events go through before they are stored."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.arrays import count_true, is_blank
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import LARGEST_RATING

END_US = 253_402_300_800_000_000  # 10000-01-01


def clean_events(batch: pa.RecordBatch, ledger: Ledger, now_us: int = END_US) -> pa.RecordBatch:
    """Drop events that cannot be used.

    An event with several faults is counted under the first: user, item, time, rating.

    Args:
        batch: Columns of ``schema.EVENTS``, and any others.
        ledger: Counts the drops.
        now_us: Events after this time, in microseconds since 1970, cannot have happened.

    Returns:
        The usable events in the same order, without nulls in the columns of ``EVENTS``.
    """
    times, ratings = batch.column("time_us"), batch.column("rating")
    faults = (
        ("user missing or empty", is_blank(batch.column("user"))),
        ("item missing or empty", is_blank(batch.column("item"))),
        ("time missing or not understood", pc.is_null(times)),
        ("time outside the years 1970 to 9999", _is_absurd(times)),
        ("time in the future", pc.greater(times, now_us)),
        ("rating missing or not a number", pc.invert(_is_number(ratings))),
        (f"rating beyond {LARGEST_RATING:,.0f}", pc.greater(pc.abs(ratings), LARGEST_RATING)),
    )
    good = pa.repeat(True, batch.num_rows)
    for reason, fault in faults:
        dropped = count_true(pc.and_(good, fault))
        if dropped:
            ledger.drop(reason, dropped)
            good = pc.and_not(good, pc.fill_null(fault, False))
    return batch.filter(good) if count_true(good) < batch.num_rows else batch


def _is_absurd(times: pa.Array) -> pa.Array:
    return pc.or_(pc.less(times, 0), pc.greater_equal(times, END_US))


def _is_number(values: pa.Array) -> pa.Array:
    return pc.fill_null(pc.is_finite(values), False)
