"""Cleaning keeps, drops and counts every event once."""

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import EVENTS
from dataset_converters.events.cleaning import clean_events

EVENT = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    st.none() | st.sampled_from(["", "a", "b\t"]),
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**40),
    st.none() | st.floats(),
)


def batch_of(events: list) -> pa.RecordBatch:
    columns = list(zip(*events)) or [[], [], [], []]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, EVENTS)], schema=EVENTS
    )


def test_each_fault_is_counted_under_the_first_reason() -> None:
    events = [
        ("u", "i", 1_000_000, 1.0),
        (None, None, None, None),
        ("", "i", 1, 1.0),
        ("u", "", 1, 1.0),
        ("u", "i", None, 1.0),
        ("u", "i", -1, 1.0),
        ("u", "i", 253_402_300_800_000_000, 1.0),
        ("u", "i", 1, float("nan")),
        ("u", "i", 1, None),
        ("u", "i", 0, -2.0),
    ]
    ledger = Ledger()
    kept = clean_events(batch_of(events), ledger)
    assert kept.to_pylist() == [
        {"user": "u", "item": "i", "time_us": 1_000_000, "rating": 1.0},
        {"user": "u", "item": "i", "time_us": 0, "rating": -2.0},
    ]
    assert ledger.dropped == Counter(
        {
            "user missing or empty": 2,
            "item missing or empty": 1,
            "time missing or not understood": 1,
            "time outside the years 1970 to 9999": 2,
            "rating missing or not a number": 2,
        }
    )


@given(st.lists(EVENT))
def test_kept_and_dropped_partition_the_events(events: list) -> None:
    ledger = Ledger()
    kept = clean_events(batch_of(events), ledger)
    assert kept.num_rows + sum(ledger.dropped.values()) == len(events)
    assert all(column.null_count == 0 for column in kept.columns)
