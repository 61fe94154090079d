"""The store orders like Python's stable sort."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset_converters import store as store_module
from dataset_converters.ledger import Ledger
from dataset_converters.schema import EVENTS, events_batch
from dataset_converters.store import EventStore
from dataset_converters.summary import collect_statistics

EVENT = st.tuples(
    st.sampled_from(["9", "10", "b", "é"]),
    st.sampled_from("xyz"),
    st.integers(0, 4).map(lambda second: second * 500_000),
    st.sampled_from([1.0, -2.0]),
)


def fill(store: EventStore, events: list, batch_rows: int) -> None:
    for begin in range(0, len(events), batch_rows):
        columns = zip(*events[begin : begin + batch_rows])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENTS)]
        store.append(pa.RecordBatch.from_arrays(arrays, schema=EVENTS))
    store.index()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=1, max_size=40), st.integers(1, 7))
def test_order_is_user_appearance_then_time_then_file(tmp_path_factory, events: list, rows: int) -> None:
    users = list(dict.fromkeys(event[0] for event in events))
    expected = sorted(events, key=lambda event: (users.index(event[0]), event[2]))
    with EventStore(tmp_path_factory.mktemp("store")) as store:
        fill(store, events, rows)
        got = [tuple(row.values()) for batch in store.ordered(batch_rows=rows) for row in batch.to_pylist()]
        items = store.tokens("item").to_pylist()
    assert got == expected
    assert items == list(dict.fromkeys(event[1] for event in events))


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_chunks_do_not_show(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_CHUNK", chunk)
    users, items, about = ["a", "b", "a", "a"], ["y", "x", "y", "z"], ["1", "2", "3", None]
    with EventStore(tmp_path) as store:
        for row in range(4):
            columns = [[column[row]] for column in (users, items)]
            batch = [pa.array(columns[0]), pa.array(columns[1]), pa.array([row]), pa.array([1.0])]
            store.append(events_batch(*batch, name=pa.array([about[row]], pa.string())))
        store.index()
        assert store.about().to_pydict() == {"item_id": ["y", "x", "z"], "name": ["1", "2", None]}
        assert store.tokens("user").to_pylist() == ["a", "b"]
        assert [row["time_us"] for batch in store.ordered() for row in batch.to_pylist()] == [0, 2, 3, 1]


def test_statistics_of_a_hand_made_log(tmp_path: Path) -> None:
    second = 1_000_000
    events = [
        ("a", "x", 0, 1.0),
        ("a", "x", second, 1.0),
        ("a", "x", 2 * second, 2.0),
        ("a", "y", 3 * second, -1.0),
        ("b", "x", 4 * second, 1.0),
        ("b", "x", 86_400 * second, 1.0),
    ]
    with EventStore(tmp_path) as store:
        fill(store, events, 4)
        got = collect_statistics(store, Ledger(rows_read=6))
    assert got == {
        "users": 2,
        "items": 2,
        "plays": 6,
        "plays_per_user": {"min": 2, "median": 3.0, "mean": 3.0, "p80": 4, "max": 4},
        "unique_pairs": 3,
        "sparsity": 1 - 3 / 4,
        "rare_item_share": 1 / 2,
        "repeat_share": 1 - 3 / 6,
        "positive_plays": 5,
        "positive_repeat_share": 1 - 2 / 5,
        "time_range": ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"],
        "rows": {"read": 6, "written": 6, "dropped": {}},
        "notes": {},
        "ratings": {"-1": 1, "1": 4, "2": 1},
    }
