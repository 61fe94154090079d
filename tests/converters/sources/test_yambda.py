"""Yambda: listens by the part that was played, both shapes of file."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.sources.yambda import YambdaOptions, read_events

LISTENS = {
    "uid": pa.array([7, 7, 8, 8], pa.uint32()),
    "timestamp": pa.array([5, 10, 0, 15], pa.uint32()),
    "item_id": pa.array([1, 2, 1, 3], pa.uint32()),
    "is_organic": pa.array([1, 0, 1, 1], pa.uint8()),
    "played_ratio_pct": pa.array([50, 49, 100, None], pa.uint16()),
    "track_length_seconds": pa.array([200, 200, 210, 220], pa.uint32()),
}


def read(path: Path, **options: object) -> "tuple[list, Ledger]":
    ledger = Ledger()
    log = read_events(path, YambdaOptions(**options), ledger)
    events = [tuple(row.values()) for batch in log.batches for row in batch.to_pylist()]
    assert log.progress.done == 1
    return events, ledger


def write(folder: Path, columns: dict, name: str = "listens.parquet") -> Path:
    pq.write_table(pa.table(columns), folder / name)
    return folder / name


def test_half_a_track_is_a_play(tmp_path: Path) -> None:
    events, ledger = read(write(tmp_path, LISTENS))
    assert events == [
        ("7", "1", 5_000_000, 1.0),
        ("7", "2", 10_000_000, -1.0),
        ("8", "1", 0, 1.0),
        ("8", "3", 15_000_000, None),
    ]
    assert ledger.rows_read == 4
    assert dict(ledger.notes) == {"listens without played_ratio_pct": 1}


def test_the_limit_can_be_moved(tmp_path: Path) -> None:
    path = write(tmp_path, LISTENS)
    assert [event[3] for event in read(path, min_played_ratio=49)[0]] == [1.0, 1.0, 1.0, None]
    assert [event[3] for event in read(path, min_played_ratio=100)[0]] == [-1.0, -1.0, 1.0, None]


@pytest.mark.parametrize("plural", ["", "s"])
@pytest.mark.parametrize("large", [pa.list_, pa.large_list])
def test_sequential_files_say_the_same(tmp_path: Path, plural: str, large: type) -> None:
    lists = {
        f"{name}{plural}" if name in ("item_id", "timestamp") else name: pa.array(
            [column.to_pylist()[:2], column.to_pylist()[2:], None, []], large(column.type)
        )
        for name, column in LISTENS.items()
        if name != "uid"
    }
    path = write(tmp_path, {"uid": pa.array([7, 8, 9, 10]), **lists})
    assert read(path)[0] == read(write(tmp_path, LISTENS, "flat.parquet"))[0]


def test_lists_of_different_length_are_refused(tmp_path: Path) -> None:
    columns = {"uid": [1], "item_id": [[1, 2]], "timestamp": [[5]], "played_ratio_pct": [[50, 50]]}
    with pytest.raises(ConversionError, match="lists of timestamp and item_id differ"):
        read(write(tmp_path, columns))


def test_multi_event(tmp_path: Path) -> None:
    kinds = ["listen", "listen", "like", "dislike", "unlike", "undislike", None]
    columns = {
        "uid": [1] * 7,
        "item_id": list(range(7)),
        "timestamp": [5] * 7,
        "event_type": pa.array(kinds).dictionary_encode(),
        "played_ratio_pct": [100, 3, None, None, None, None, None],
    }
    path = write(tmp_path, columns, "multi_event.parquet")
    events, ledger = read(path)
    assert [event[3] for event in events] == [1.0, -1.0, 2.0, -2.0, None]
    names = "not among --ratings (like, play, skip, dislike)"
    assert dict(ledger.dropped) == {f"event unlike {names}": 1, f"event undislike {names}": 1}
    assert ledger.rows_read == 7
    assert len(read(path, ratings={"play": 1, "unlike": -0.5})[0]) == 3


def test_a_folder_of_parts_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    table = pa.table(LISTENS)
    for name, part in (("b.parquet", table.slice(1)), ("a.parquet", table.slice(0, 1))):
        write(tmp_path, part, name)
    events, ledger = read(tmp_path)
    assert events == read(write(tmp_path.parent, LISTENS))[0]
    assert ledger.rows_read == 4


def test_a_folder_of_different_logs_is_refused(tmp_path: Path) -> None:
    """``multi_event.parquet`` has the listens of ``listens.parquet`` as well."""
    write(tmp_path, LISTENS)
    write(tmp_path, {**LISTENS, "event_type": ["listen"] * 4}, "multi_event.parquet")
    with pytest.raises(ConversionError, match=r"multi_event\.parquet and listens\.parquet have different"):
        read(tmp_path)


def test_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"folder without files that end in \.parquet"):
        read(tmp_path)
    with pytest.raises(ConversionError, match="no file"):
        read(tmp_path / "x.parquet")
    with pytest.raises(ConversionError, match="has no column timestamp, played_ratio_pct or event_type"):
        read(write(tmp_path, {"uid": [1], "item_id": [1]}))
    (tmp_path / "text.parquet").write_text("uid,item_id")
    with pytest.raises(ConversionError, match="cannot be read as parquet"):
        read(tmp_path / "text.parquet")
