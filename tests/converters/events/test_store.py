"""The store orders like Python's stable sort, in memory and on disk."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import batches_of, ordered

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import events_batch
from dataset_converters.events import spill as spill_module
from dataset_converters.events import store as store_module
from dataset_converters.events.chunks import Plays, in_order
from dataset_converters.events.store import EventStore
from dataset_converters.output.counts import Counts, count_group
from dataset_converters.output.summary import collect_statistics

EVENT = st.tuples(
    st.sampled_from(["9", "10", "b", "é"]),
    st.sampled_from("xyz"),
    st.integers(0, 4).map(lambda second: second * 500_000),
    st.sampled_from([1.0, -2.0]),
)


IN_MEMORY, ON_DISK, ON_THE_WAY = 1 << 30, 0, 300
memory = pytest.mark.parametrize("memory", [IN_MEMORY, ON_DISK, ON_THE_WAY])


@memory
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=1, max_size=40), st.integers(1, 7), st.booleans())
def test_order_is_user_appearance_then_time_then_file(
    tmp_path_factory, memory: int, events: list, rows: int, newest_first: bool
) -> None:
    users = list(dict.fromkeys(event[0] for event in events))
    arrival = reversed(events) if newest_first else events
    expected = sorted(arrival, key=lambda event: (users.index(event[0]), event[2]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "_CHUNK", 10)
        patch.setattr(spill_module, "_SECTION", rows)
        patch.setattr(spill_module, "_TOGETHER", 2)
        with EventStore(batches_of(events, rows), tmp_path_factory.mktemp("store"), memory) as store:
            got = ordered(store, newest_first=newest_first, rows=rows)
            items = store.tokens("item").to_pylist()
            assert store.rows == len(events)
    assert got == expected
    assert items == list(dict.fromkeys(event[1] for event in events))


@memory
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=1, max_size=40), st.integers(1, 7))
def test_a_group_has_all_plays_of_its_users(tmp_path_factory, memory: int, events: list, rows: int) -> None:
    with EventStore(batches_of(events, 7), tmp_path_factory.mktemp("store"), memory) as store:
        groups = [group.user.tolist() for group in store.groups(rows=rows)]
    assert all(max(before) < min(after) for before, after in itertools.pairwise(groups))
    assert sum(map(len, groups)) == len(events)


def test_what_memory_cannot_hold_is_on_disk(tmp_path: Path) -> None:
    events = [("a", "x", 0, 1.0)]
    for memory, written in ((IN_MEMORY, False), (ON_DISK, True)):
        with EventStore(batches_of(events, 1), tmp_path, memory):
            assert bool(list(tmp_path.iterdir())) == written


def test_files_go_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_CHUNK", 10)
    monkeypatch.setattr(spill_module, "_SECTION", 25)
    events = [(str(n % 7), "x", n, 1.0) for n in range(100)]
    with EventStore(batches_of(events, 10), tmp_path, ON_DISK) as store:
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) == 24 * 100
        groups = store.groups(rows=5)
        next(groups)
        assert 0 < sum(file.stat().st_size for file in tmp_path.iterdir()) < 24 * 100
        assert 1 + sum(1 for _ in groups) == 7
        assert list(tmp_path.iterdir()) == []


@memory
def test_all_are_a_table_to_select_from(tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_CHUNK", 10)
    events = [(str(n % 7), str(n % 3), n, float(n % 2)) for n in range(60)]
    with EventStore(batches_of(events, 10), tmp_path, memory) as store:
        assert store.on_disk().delete("rating = 0") == 30
        assert ordered(store) == sorted((e for e in events if e[3]), key=lambda e: (int(e[0]), e[2]))
        assert store.tokens("item").to_pylist() == ["0", "1", "2"]


@pytest.mark.parametrize("far", [1, 2**40, 2**60])
def test_times_far_apart_are_ordered_as_well(far: int) -> None:
    """Users and times that fit into one number of 64 bits, and such that do not."""
    user = np.array([2, 0, 2, 1, 2], np.int32)
    time = np.array([far, 5, 0, 3, far])
    got = in_order(Plays(user, np.arange(5, dtype=np.int32), time, np.ones(5)))
    assert got.item.tolist() == [1, 3, 2, 0, 4]


@memory
@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_chunks_do_not_show(tmp_path: Path, memory: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_CHUNK", chunk)
    users, items, about = ["a", "b", "a", "a"], ["y", "x", "y", "z"], ["1", "2", "3", None]
    batches = [
        events_batch(
            *map(pa.array, ([users[row]], [items[row]], [row], [1.0])),
            name=pa.array([about[row]], pa.string()),
        )
        for row in range(4)
    ]
    with EventStore(batches, tmp_path, memory) as store:
        assert store.about().to_pydict() == {"item_id": ["y", "x", "z"], "name": ["1", "2", None]}
        assert store.tokens("user").to_pylist() == ["a", "b"]
        assert [time for _, _, time, _ in ordered(store)] == [0, 2, 3, 1]


def counted(store: EventStore, rows: int = 3) -> Counts:
    counts = Counts(len(store.names("item")))
    for group in store.groups(rows=rows):
        counts.add(count_group(in_order(group)))
    return counts


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
    with EventStore(batches_of(events, 4), tmp_path) as store:
        got = collect_statistics(counted(store), Ledger(rows_read=6))
    assert got == {
        "users": 2,
        "items": 2,
        "plays": 6,
        "plays_per_user": {"min": 2, "median": 3.0, "mean": 3.0, "p80": 4, "max": 4},
        "unique_pairs": 3,
        "sparsity": 1 - 6 / 4,
        "rare_item_share": 1 / 2,
        "repeat_share": 1 - 3 / 6,
        "positive_plays": 5,
        "positive_repeat_share": 1 - 2 / 5,
        "time_range": ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"],
        "rows": {"read": 6, "written": 6, "dropped": {}},
        "notes": {},
        "ratings": {"-1": 1, "1": 4, "2": 1},
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT, min_size=1, max_size=40), st.integers(1, 9))
def test_groups_add_up_to_what_counting_by_hand_gives(tmp_path_factory, events: list, rows: int) -> None:
    with EventStore(batches_of(events, 9), tmp_path_factory.mktemp("store")) as store:
        counts = counted(store, rows)
    positive = [event for event in events if event[3] > 0]
    assert counts.per_user.tolist() == sorted(Counter(event[0] for event in events).values())
    assert counts.per_item.tolist() == list(Counter(event[1] for event in events).values())
    assert counts.pairs == len({event[:2] for event in events})
    assert counts.positive_pairs == len({event[:2] for event in positive})
    assert counts.positive_plays == len(positive)
    assert counts.distinct == len(set(events))
    assert counts.times == (min(event[2] for event in events), max(event[2] for event in events))
    assert counts.ratings == Counter(event[3] for event in events)


@pytest.mark.parametrize(
    ("first", "second", "known"), [(20, 20, True), (21, 1, False), (11, 20, True), (20, 21, False)]
)
def test_more_than_twenty_ratings_are_not_listed(first: int, second: int, known: bool) -> None:
    counts = Counts(1)
    for user, ratings in enumerate((first, second)):
        zeros = np.zeros(ratings, np.int32)
        rating = np.arange(ratings, dtype=float)
        counts.add(count_group(Plays(zeros + user, zeros, np.arange(ratings), rating)))
    assert (counts.ratings is not None) == known


@pytest.mark.parametrize("users", [1, 4, 5, 6, 10, 11])
def test_80_percent_of_the_users_have_no_more_plays_than_p80(users: int) -> None:
    counts = Counts(1)
    for user in range(users):
        zeros = np.zeros(user + 1, np.int32)
        counts.add(count_group(Plays(zeros + user, zeros, np.arange(user + 1), np.ones(user + 1))))
    per_user = collect_statistics(counts, Ledger())["plays_per_user"]
    assert per_user["p80"] == -(-8 * users // 10)
    assert per_user["median"] == (users + 1) / 2
