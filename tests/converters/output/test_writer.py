"""Files come out whole or not at all."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.schema import EVENTS
from dataset_converters.output.workspace import new_folder
from dataset_converters.output.writer import (
    inter_text,
    write_features,
    write_inter,
    write_properties,
    write_statistics,
)


def test_inter_holds_whole_seconds_and_plain_ratings(tmp_path: Path) -> None:
    columns = [["u", "u"], ["a b", "%22"], [1_999_999_999_999_999, 0], [1.0, -0.5]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, EVENTS)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=EVENTS)
    write_inter(tmp_path / "x.inter", map(inter_text, [batch, batch.slice(1), batch.slice(2)]))
    assert (tmp_path / "x.inter").read_bytes().decode() == (
        "user_id:token\titem_id:token\ttimestamp:float\trating:float\n"
        "u\ta b\t1999999999\t1\n"
        "u\t%22\t0\t-0.5\n"
        "u\t%22\t0\t-0.5\n"
    )


def test_features_keep_empty_fields(tmp_path: Path) -> None:
    table = pa.table({"item_id:token": ["i", "j"], "g:token_seq": ["a b", " "], "y:float": ["", "1"]})
    write_features(tmp_path / "x.item", table)
    expected = "item_id:token\tg:token_seq\ty:float\ni\ta b\t\nj\t \t1\n"
    assert (tmp_path / "x.item").read_text() == expected


def test_unescaped_text_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid):
        write_features(tmp_path / "x.item", pa.table({"item_id:token": ["a\tb"]}))


def test_properties_and_statistics_can_be_read_back(tmp_path: Path) -> None:
    write_properties(tmp_path / "x.yaml", 20)
    write_statistics(tmp_path / "x.stats.json", {"é": 1})
    assert yaml.safe_load((tmp_path / "x.yaml").read_text()) == {
        "USER_ID_FIELD": "user_id",
        "ITEM_ID_FIELD": "item_id",
        "TIME_FIELD": "timestamp",
        "RATING_FIELD": "rating",
        "load_col": {"inter": ["user_id", "item_id", "timestamp", "rating"]},
        "MAX_ITEM_LIST_LENGTH": 20,
    }
    assert json.loads((tmp_path / "x.stats.json").read_text(encoding="utf-8")) == {"é": 1}


def listing(folder: Path) -> list:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_folder_appears_only_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out", "x", overwrite=False) as folder:
        (folder / "x.inter").write_text("new")
        (folder / "scratch").mkdir()
        assert not (tmp_path / "out" / "x").exists()
    assert listing(tmp_path / "out") == ["x", "x/x.inter"]


def fail_halfway(out: Path, error: type, overwrite: bool) -> None:
    with new_folder(out, "x", overwrite) as folder:
        (folder / "x.inter").write_text("half")
        raise error


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failure_leaves_nothing(tmp_path: Path, error: type) -> None:
    with pytest.raises(error):
        fail_halfway(tmp_path, error, overwrite=False)
    assert listing(tmp_path) == []


def test_earlier_files_are_kept_unless_overwriting(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name in ("x.inter", "x.item", "mine.txt"):
        (tmp_path / "x" / name).write_text("old")
    with pytest.raises(ConversionError, match="--overwrite"), new_folder(tmp_path, "x", False):
        pass
    with pytest.raises(KeyboardInterrupt):
        fail_halfway(tmp_path, KeyboardInterrupt, overwrite=True)
    assert (tmp_path / "x" / "x.inter").read_text() == "old"
    with new_folder(tmp_path, "x", True) as folder:
        (folder / "x.inter").write_text("new")
    assert listing(tmp_path) == ["x", "x/mine.txt", "x/x.inter"]
    assert (tmp_path / "x" / "x.inter").read_text() == "new"


def test_files_in_the_way_are_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ConversionError, match="not a folder"), new_folder(tmp_path, "x", True):
        pass
    with pytest.raises(ConversionError, match="is a file"), new_folder(tmp_path / "x", "y", True):
        pass
