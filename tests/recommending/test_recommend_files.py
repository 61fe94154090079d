from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recbole_popaware.errors import UsageError
from recbole_popaware.recommending import writer
from recbole_popaware.recommending.columns import read_titles, read_users
from recbole_popaware.recommending.lists import schema

ROWS = {
    "user_id": ["a", 'Jürgen, "J."', "a\u2028b"],
    "rank": [1, 2, 3],
    "item_id": ["007", "null", "x"],
    "score": [0.1, -1e-9, 463.0],
    "model_score": [0.1, 1e10, None],
    "popularity_score": [0.0, 0.5, None],
    "plays": [3, 0, 0],
    "kind": ["repeat", "explore", "popular"],
}
TABLE = pa.table(ROWS, schema=schema(titled=False))


def read(file):
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pandas()
    if file.suffix == ".csv":
        texts = {"user_id": str, "item_id": str}
        return pd.read_csv(
            file, dtype=texts, keep_default_na=False, na_values={"model_score": "", "popularity_score": ""}
        )
    return pd.DataFrame([json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_all_formats_hold_the_same(tmp_path, suffix):
    file = tmp_path / f"lists{suffix}"
    file.write_text("of an earlier run")
    writer.check_output(file)
    writer.write(file, TABLE.schema, iter([TABLE, TABLE[:1]]))
    expected = pa.concat_tables([TABLE, TABLE[:1]]).to_pandas()
    actual = read(file).astype({name: expected[name].dtype for name in expected})
    pd.testing.assert_frame_equal(actual, expected, rtol=0)
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_numbers_in_json_are_as_short_as_they_can_be(tmp_path):
    writer.write(tmp_path / "lists.jsonl", TABLE.schema, [TABLE[:1]])
    assert '"score": 0.1,' in (tmp_path / "lists.jsonl").read_text()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_nothing_half_written_is_left(tmp_path, suffix, error):
    def tables():
        yield TABLE
        raise error

    new, old = tmp_path / f"new{suffix}", tmp_path / f"old{suffix}"
    old.write_text("of an earlier run")
    for file in (new, old):
        with pytest.raises(UsageError if isinstance(error, OSError) else KeyboardInterrupt):
            writer.write(file, TABLE.schema, tables())
    assert [f.name for f in tmp_path.iterdir()] == [old.name]
    assert old.read_text() == "of an earlier run"


def test_a_disk_that_is_full_is_told(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(UsageError, match=r"lists\.parquet cannot be written.*No space left"):
        writer.write(tmp_path / "lists.parquet", TABLE.schema, [TABLE])
    assert not list(tmp_path.iterdir())


def test_parquet_rows_are_gathered_into_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "_ROW_GROUP", 5)
    writer.write(tmp_path / "lists.parquet", TABLE.schema, [TABLE] * 5)
    written = pq.ParquetFile(tmp_path / "lists.parquet").metadata
    assert [written.row_group(n).num_rows for n in range(written.num_row_groups)] == [6, 6, 3]


@pytest.mark.parametrize("name", ["lists.txt", "file", "gone/lists.csv", "folder.csv"])
def test_outputs_that_cannot_be_are_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="output"):
        writer.check_output(tmp_path / name)


def test_users_are_read_from_lines_and_columns(tmp_path, caplog):
    lines = tmp_path / "users.txt"
    lines.write_text("\ufeff007\nnull\n\na b\n007\n", encoding="utf-8")
    assert read_users(lines) == ["007", "null", "a b"]
    assert "1 users are named again" in caplog.text
    table = tmp_path / "users.csv"
    table.write_text("rank,user_id\n1,007\n2,null\n3,a b\n4,\n")
    assert read_users(table) == ["007", "null", "a b"]
    for column in (pa.array(["007", None, "8"]), pa.array(["007", "8"]).dictionary_encode()):
        pq.write_table(pa.table({"user_id": column}), tmp_path / "users.parquet")
        assert read_users(tmp_path / "users.parquet") == ["007", "8"]
    pq.write_table(pa.table({"user_id": [7, 8]}), tmp_path / "users.parquet")
    assert read_users(tmp_path / "users.parquet") == ["7", "8"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("users.txt", b"\n \n", "names nobody"),
        ("users.txt", b"\xff\xfe", "utf-8"),
        ("users.csv", b"user\na\n", "user_id"),
        ("users.csv", b"user_id,b\na\n", "cannot be read"),
        ("users.parquet", b"user_id\na\n", "cannot be read"),
    ],
)
def test_users_files_that_cannot_be_read_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_users(tmp_path / name)
    with pytest.raises(UsageError, match="not there"):
        read_users(tmp_path / "gone.txt")


ITEMS = ["[PAD]", "007", "NA", "x"]


def test_titles_are_read_from_atomic_files_csv_and_parquet(tmp_path, caplog):
    (tmp_path / "a.item").write_text('item_id:token\tname:token_seq\n007\t"Heroes"\nNA\tNA\n9\tother\n')
    (tmp_path / "a.csv").write_text('item_id,genre,title\n007,pop,"""Heroes"""\nNA,rock,NA\nx,,\n')
    pq.write_table(
        pa.table({"item_id": ["007", "NA", "007"], "song": ['"Heroes"', "NA", "again"]}),
        tmp_path / "a.parquet",
    )
    for name, column in (("a.item", None), ("a.csv", "title"), ("a.csv", None), ("a.parquet", "song")):
        titles = read_titles(tmp_path / name, column, ITEMS)
        assert titles.to_pylist() == [None, '"Heroes"', "NA", None]
    assert caplog.text.count("1 of 3 items have no title") == 4


@pytest.mark.parametrize(
    ("name", "column"), [("a.item", "title"), ("a.item", None), ("b.csv", "name"), ("c.parquet", None)]
)
def test_item_files_without_titles_say_what_they_have(tmp_path, name, column):
    (tmp_path / "a.item").write_text("item_id:token\tartist:token\n1\tb\n")
    (tmp_path / "b.csv").write_text("item,artist,name\n1,b,c\n")
    pq.write_table(pa.table({"item_id": ["1"], "artist": ["b"]}), tmp_path / "c.parquet")
    with pytest.raises(UsageError, match=r"has .*artist"):
        read_titles(tmp_path / name, column, ITEMS)
