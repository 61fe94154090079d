"""Nested parquet: every action is written or counted."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_logs import play, write_interactions, write_tracks

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.events.cleaning import clean_events
from dataset_converters.sources.parquet import ParquetOptions, read_events


def read(folder: Path, **options: object) -> "tuple[list, Ledger, pa.Table | None]":
    ledger = Ledger()
    log = read_events(folder, ParquetOptions(**options), ledger)
    events = [tuple(row.values()) for batch in log.batches for row in batch.to_pylist()]
    return events, ledger, log.items


def test_actions_become_events_in_file_order(tmp_path: Path) -> None:
    rows = [(7, [play(3, 20), play(1, 10.25, 2)]), (5, [play(3, 5, -1), play(3, 5, -2)])]
    events, ledger, items = read(write_interactions(tmp_path, rows))
    assert events == [
        ("7", "3", 20_000_000, 1.0),
        ("7", "1", 10_250_000, 2.0),
        ("5", "3", 5_000_000, -1.0),
        ("5", "3", 5_000_000, -2.0),
    ]
    assert (ledger.rows_read, dict(ledger.dropped), items) == (4, {}, None)
    assert dict(ledger.notes) == {"file missing, tracks.parquet: items are named by their index": 1}


def test_tracks_name_the_items(tmp_path: Path) -> None:
    write_interactions(tmp_path, [(1, [play(2, 1), play(9, 2), play(1, 3)])])
    write_tracks(tmp_path, [1, 2, 2, None, 4], ["one", "two", "again", "x", None], domain=list("abcde"))
    events, ledger, items = read(tmp_path)
    assert [event[1] for event in events] == ["two", "index-9", "one"]
    assert items.to_pydict() == {
        "item_id": ["one", "two", "again"],
        "domain": ["a", "b", "c"],
        "track_index": ["1", "2", "2"],
    }
    assert dict(ledger.notes) == {
        "rows of tracks.parquet without track_id or track_index": 2,
        "rows repeating a track_index, first one used": 1,
        "actions on tracks not in tracks.parquet, kept": 1,
    }


def test_unknown_tracks_can_be_dropped(tmp_path: Path) -> None:
    write_interactions(tmp_path, [(1, [play(2, 1), play(9, 2), play(None, 3)])])
    write_tracks(tmp_path, [2], ["two"])
    events, ledger, _ = read(tmp_path, unknown_tracks="drop")
    assert [event[1] for event in events] == ["two", None]
    assert dict(ledger.dropped) == {"track index not in tracks.parquet": 1}


def test_nulls_sizes_and_unknown_actions_are_counted(tmp_path: Path) -> None:
    rows = [
        (None, [play(1, 1)]),
        (2, None),
        (3, []),
        (4, [None, play(None, 1), play(1, None), play(1, 1, None), play(1, 1, 7), play(1, 1, 3)]),
        (5, [play(1, 1, 3), play(1, 1)]),
    ]
    write_interactions(tmp_path, rows)
    table = pq.read_table(tmp_path / "interactions.parquet")
    sizes = pa.array([1, 0, None, 9, 2])
    pq.write_table(table.set_column(2, "size_of_actions", sizes), tmp_path / "interactions.parquet")
    events, ledger, _ = read(tmp_path)
    assert ledger.rows_read == 9
    assert ledger.dropped == Counter(
        {
            "action entry is null": 1,
            "action 7 not among --ratings (1, 2, -1, -2)": 1,
            "action 3 not among --ratings (1, 2, -1, -2)": 2,
        }
    )
    assert events == [
        (None, "1", 1_000_000, 1.0),
        ("4", None, 1_000_000, 1.0),
        ("4", "1", None, 1.0),
        ("4", "1", 1_000_000, None),
        ("5", "1", 1_000_000, 1.0),
    ]
    assert ledger.notes["users without actions"] == 2
    assert ledger.notes["users whose size_of_actions differs from their list"] == 1


def test_other_types_of_the_same_things(tmp_path: Path) -> None:
    struct = pa.struct(
        [("item", pa.uint8()), ("t", pa.timestamp("ns", "Europe/Paris")), ("event", pa.int8())]
    )
    actions = [[{"item": 1, "t": 1_999_999_999, "event": 1}]] * 2
    for user, name in ((pa.array(["é", "b"]).dictionary_encode(), "é"), (pa.array([1.0, 2]), "1")):
        columns = {"character_index": user, "actions": pa.array(actions, pa.large_list(struct))}
        pq.write_table(pa.table(columns), tmp_path / "plays.parquet")
        events, _, _ = read(tmp_path / "plays.parquet")
        assert events[0] == (name, "1", 1_999_999, 1.0)


def test_fractional_users_are_refused(tmp_path: Path) -> None:
    write_interactions(tmp_path, [(1.5, [play(1, 1)])], pa.float64())
    with pytest.raises(ConversionError, match="holds fractions"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("columns", "there"),
    [
        ({"track_id": ["a"]}, "'track_id'"),
        ({"track_id": ["a"], "track_index": ["1"]}, r"'track_index' \(string\)"),
        ({"track_id": [0.5], "track_index": [1]}, r"'track_id' \(double\)"),
    ],
)
def test_tracks_without_what_is_needed_are_refused(tmp_path: Path, columns: dict, there: str) -> None:
    write_interactions(tmp_path, [(1, [play(1, 1)])])
    pq.write_table(pa.table(columns), tmp_path / "tracks.parquet")
    with pytest.raises(ConversionError, match=f"needs track_id.*it has.*{there}"):
        read(tmp_path)


ACTION = st.none() | st.builds(
    play,
    st.none() | st.integers(-1, 3),
    st.none() | st.integers(-5, 5),
    st.none() | st.integers(-3, 3),
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.lists(ACTION)), max_size=6),
    st.none() | st.lists(st.none() | st.integers(-1, 3), max_size=4),
    st.sampled_from(["keep", "drop"]),
)
def test_every_action_is_an_event_or_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list, tracks: "list | None", unknown: str
) -> None:
    folder = write_interactions(tmp_path_factory.mktemp("raw"), rows)
    if tracks is not None:
        write_tracks(folder, tracks, [f"track {index}" for index in tracks])
    ledger = Ledger()
    options = ParquetOptions(unknown_tracks=unknown)
    written = sum(
        clean_events(batch, ledger).num_rows for batch in read_events(folder, options, ledger).batches
    )
    assert ledger.rows_read == sum(len(actions or []) for _, actions in rows)
    assert ledger.rows_read == written + sum(ledger.dropped.values())
