"""What every source's events go through before they are stored."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.ledger import Ledger
from dataset_converters.schema import EVENTS
from dataset_converters.tokens import escape_tokens

_END_US = 253_402_300_800_000_000  # 10000-01-01


def clean_events(batch: pa.RecordBatch, ledger: Ledger) -> pa.RecordBatch:
    """Drop events that cannot be used and make ids safe to write.

    An event with several faults is counted under the first: user, item, time, rating.

    Args:
        batch: Columns of ``EVENTS``.
        ledger: Counts the drops.

    Returns:
        The usable events in the same order, without nulls.
    """
    faults = (
        ("user missing or empty", _is_blank(batch.column("user"))),
        ("item missing or empty", _is_blank(batch.column("item"))),
        ("time missing", pc.is_null(batch.column("time_us"))),
        ("time outside the years 1970 to 9999", _is_absurd(batch.column("time_us"))),
        ("rating missing or not a number", pc.invert(_is_number(batch.column("rating")))),
    )
    good = pa.repeat(True, batch.num_rows)
    for reason, fault in faults:
        ledger.drop(reason, _count(pc.and_(good, fault)))
        good = pc.and_not(good, fault)
    batch = batch.filter(good)
    columns = [
        escape_tokens(batch.column("user")),
        escape_tokens(batch.column("item")),
        batch.column("time_us"),
        batch.column("rating"),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENTS)


def _is_blank(texts: pa.Array) -> pa.Array:
    return pc.fill_null(pc.equal(pc.binary_length(texts), 0), True)


def _is_absurd(times: pa.Array) -> pa.Array:
    outside = pc.or_(pc.less(times, 0), pc.greater_equal(times, _END_US))
    return pc.fill_null(outside, False)


def _is_number(values: pa.Array) -> pa.Array:
    return pc.fill_null(pc.is_finite(values), False)


def _count(mask: pa.Array) -> int:
    return int(pc.sum(mask).as_py() or 0)
