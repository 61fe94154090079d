"""Columns of every type in every role: they are read, dropped and counted, or refused in one line."""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from raw_logs import play, write_interactions, write_tracks

from dataset_converters.__main__ import main

Capture = pytest.CaptureFixture
COLUMNS = ("--user", "user", "--item", "item", "--time", "time")
WHOLE = {"user": ["a", "b"], "item": ["x", "y"], "time": [5, 6]}


def convert(path: Path, *arguments: str, source: str = "table") -> int:
    columns = COLUMNS if source == "table" else ()
    return main([source, str(path), str(path.parent / "out"), "--name", "x", *columns, *arguments])


def write(folder: Path, **columns: object) -> Path:
    pq.write_table(pa.table({**WHOLE, **columns}), folder / "a.parquet")
    return folder / "a.parquet"


def inter(folder: Path) -> list:
    return (folder / "out" / "x" / "x.inter").read_text(encoding="utf-8").splitlines()[1:]


def statistics(folder: Path) -> dict:
    return json.loads((folder / "out" / "x" / "x.stats.json").read_text(encoding="utf-8"))


def dropped(folder: Path) -> dict:
    return statistics(folder)["rows"]["dropped"]


def complaint(capsys: Capture, folder: Path) -> str:
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not list(folder.glob("out/**/*"))
    return captured.err


def unchecked(texts: "list[bytes | None]", kind: pa.DataType) -> pa.Array:
    """Make texts that Arrow does not look at, as a parquet file may have them."""
    if pa.types.is_dictionary(kind):
        return unchecked(texts, kind.value_type).dictionary_encode()
    options = pc.CastOptions(kind, allow_invalid_utf8=True)
    return pc.cast(pa.array(texts, pa.binary()), options=options)


TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()),
]
every_text = pytest.mark.parametrize("kind", TEXTS, ids=str)


@every_text
@pytest.mark.parametrize("role", ["user", "item", "time", "event", "rating"])
def test_table_texts_that_are_not_utf8_are_dropped_and_counted(
    tmp_path: Path, kind: pa.DataType, role: str
) -> None:
    whole = {**WHOLE, "time": ["5", "6"], "event": ["play", "play"], "rating": ["1", "1"]}
    columns = {**whole, role: unchecked([b"1\xff", whole[role][1].encode()], kind)}
    arguments = () if role in ("user", "item", "time") else (f"--{role}", role)
    assert convert(write(tmp_path, **columns), *arguments) == 0
    assert inter(tmp_path) == ["b\ty\t6\t1"]
    assert dropped(tmp_path) == {f"{role} is not UTF-8": 1}


@every_text
def test_texts_of_every_kind_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    assert convert(write(tmp_path, user=unchecked(["zoë".encode(), None], kind))) == 0
    assert inter(tmp_path) == ["zoë\tx\t5\t1"]
    assert dropped(tmp_path) == {"user missing or empty": 1}


@every_text
@pytest.mark.parametrize("sequential", [False, True])
def test_yambda_texts_that_are_not_utf8_are_dropped(
    tmp_path: Path, kind: pa.DataType, sequential: bool
) -> None:
    columns = {
        "uid": unchecked([b"\xc3", b"b", b"c"], kind),
        "item_id": unchecked([b"x", b"\xff", b"z"], kind),
        "timestamp": pa.array([5, 6, 7]),
        "played_ratio_pct": pa.array([100, 100, 100]),
    }
    if sequential:
        lists = {name: [[value] for value in column] for name, column in columns.items() if name != "uid"}
        offsets = pa.array([0, 1, 2, 3], pa.int32())
        columns.update({name: pa.ListArray.from_arrays(offsets, columns[name]) for name in lists})
    pq.write_table(pa.table(columns), tmp_path / "listens.parquet")
    assert convert(tmp_path / "listens.parquet", source="yambda") == 0
    assert inter(tmp_path) == ["c\tz\t7\t1"]
    assert dropped(tmp_path) == {"uid is not UTF-8": 1, "item_id is not UTF-8": 1}


@every_text
def test_nested_users_tracks_and_features_that_are_not_utf8(tmp_path: Path, kind: pa.DataType) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_interactions(raw, [(0, [play(1, 5)]), (1, [play(1, 6), play(2, 7)]), (2, [play(3, 8)])])
    table = pq.read_table(raw / "interactions.parquet")
    table = table.set_column(0, "character_index", unchecked([b"\xff", b"b", b"c"], kind))
    pq.write_table(table, raw / "interactions.parquet")
    names = unchecked([b"N\xff", b"zo\xc3\xab", b"Z"], kind)
    genres = pa.ListArray.from_arrays(pa.array([0, 2, 3, 3], pa.int32()), names)
    write_tracks(raw, [1, 2, 3], ["x", "y", "z"], name=names, genres=genres)
    table = pq.read_table(raw / "tracks.parquet")
    pq.write_table(
        table.set_column(0, "track_id", unchecked([b"x", b"y", b"\xff"], kind)), raw / "tracks.parquet"
    )
    assert convert(raw, source="parquet") == 0
    assert inter(tmp_path / "raw" / "..") == ["b\tx\t6\t1", "b\ty\t7\t1", "c\tindex-3\t8\t1"]
    assert dropped(tmp_path) == {"user is not UTF-8": 1}
    item = (tmp_path / "out" / "x" / "x.item").read_text(encoding="utf-8").splitlines()
    assert item == [
        "item_id:token\tname:token\tgenres:token_seq\ttrack_index:token",
        "x\t\t zoë\t1",
        "y\tzoë\tZ\t2",
        "index-3\t\t \t",
    ]
    notes = statistics(tmp_path)["notes"]
    assert notes["rows of tracks.parquet whose track_id is not UTF-8"] == 1
    assert notes["item values that are not UTF-8, left out: name"] == 1
    assert notes["item values that are not UTF-8, left out: genres"] == 1


REFUSED = [
    pa.array([[1], [2]]),
    pa.array([{"a": 1}, {"a": 2}]),
    pa.array([1, 2], pa.duration("s")),
    pa.array([1, 2], pa.time32("s")),
]


@pytest.mark.parametrize("column", REFUSED, ids=lambda column: str(column.type))
@pytest.mark.parametrize("role", ["user", "item", "time", "event", "rating"])
def test_types_that_no_role_can_use(tmp_path: Path, column: pa.Array, role: str, capsys: Capture) -> None:
    arguments = () if role in ("user", "item", "time") else (f"--{role}", role)
    assert convert(write(tmp_path, **{role: column}), *arguments) == 2
    message = complaint(capsys, tmp_path)
    assert f"a.parquet: column '{role}' has type " in message
    assert f"which is no {role}: need" in message


@pytest.mark.parametrize(
    ("role", "column"),
    [
        ("user", pa.array([True, False])),
        ("item", pa.array([5, 6], pa.date32())),
        ("user", pa.array([5, 6], pa.timestamp("s"))),
        ("user", pa.array([Decimal("1.5"), Decimal("2.5")])),
        ("time", pa.array([True, False])),
        ("rating", pa.array([True, False])),
        ("rating", pa.array([5, 6], pa.timestamp("s"))),
    ],
    ids=str,
)
def test_types_that_a_role_cannot_use(tmp_path: Path, role: str, column: pa.Array, capsys: Capture) -> None:
    arguments = ("--rating", "rating") if role == "rating" else ()
    assert convert(write(tmp_path, **{role: column}), *arguments) == 2
    assert f"which is no {role}: need" in complaint(capsys, tmp_path)


def test_ids_with_fractions_are_refused(tmp_path: Path, capsys: Capture) -> None:
    assert convert(write(tmp_path, user=[1.5, 2.0])) == 2
    assert "a.parquet cannot be read: a column of ids holds fractions" in complaint(capsys, tmp_path)


def test_numbers_of_every_kind_are_read(tmp_path: Path) -> None:
    columns = {
        "user": pa.array([1.0, float("nan"), float("inf")]),
        "item": pa.array([Decimal("7"), Decimal("8"), Decimal("9")]),
        "time": pa.array([Decimal("5.5"), Decimal("6"), Decimal("7")]),
        "rating": pa.array([Decimal("-1.5"), Decimal("2"), Decimal("3")]),
    }
    assert convert(write(tmp_path, **columns), "--rating", "rating") == 0
    assert inter(tmp_path) == ["1\t7\t5\t-1.5"]
    assert dropped(tmp_path) == {"user missing or empty": 2}


FAR = [float("inf"), float("-inf"), float("nan"), 1e308, -1e308, 1.1e9, None]


@pytest.mark.parametrize("packed", ["parquet", "csv"])
def test_ratings_that_no_model_can_bear_are_dropped_and_counted(tmp_path: Path, packed: str) -> None:
    count = len(FAR) + 2
    if packed == "parquet":
        columns = {"user": ["a"] * count, "item": ["x"] * count, "time": list(range(count))}
        path = write(tmp_path, **columns, rating=pa.array([*FAR, 1e9, -1e9]))
    else:
        path = tmp_path / "a.csv"
        lines = [
            f"a,x,{row},{'' if value is None else value}\n" for row, value in enumerate([*FAR, 1e9, -1e9])
        ]
        path.write_text("user,item,time,rating\n" + "".join(lines))
    assert convert(path, "--rating", "rating") == 0
    assert inter(tmp_path) == ["a\tx\t7\t1000000000", "a\tx\t8\t-1000000000"]
    reasons = {"rating missing or not a number": 4, "rating beyond 1,000,000,000": 3}
    assert dropped(tmp_path) == reasons


def test_a_rating_too_long_for_a_float_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"user,item,time,rating\na,x,1,1e999\na,x,2,{'9' * 400}\na,x,3,1\n")
    assert convert(path, "--rating", "rating") == 0
    assert inter(tmp_path) == ["a\tx\t3\t1"]
    assert sum(dropped(tmp_path).values()) == 2


def test_option_ratings_have_the_same_bound(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path, event=["play", "play"])
    for rating in ("1e308", "inf", "nan", "1.1e9"):
        assert convert(path, "--event", "event", "--ratings", f"play={rating}") == 2
        assert "numbers up to 1,000,000,000" in complaint(capsys, tmp_path)
    assert convert(path, "--event", "event", "--ratings", "play=1e9") == 0


@pytest.mark.parametrize("form", ["auto", "iso", "s", "ms", "us", "ns"])
def test_times_that_are_no_number_are_dropped_and_counted(tmp_path: Path, form: str) -> None:
    times = pa.array([float("inf"), float("-inf"), float("nan"), 1e308, 5e9 if form == "ns" else 5.0])
    path = write(tmp_path, user=["a"] * 5, item=["x"] * 5, time=times)
    assert convert(path, "--time-format", form) == 0
    assert dropped(tmp_path) == {
        "time missing or not understood": 1,
        "time outside the years 1970 to 9999": 3,
    }


@pytest.mark.parametrize("form", ["auto", "iso", "s", "ms", "us", "ns", "%Y-%m-%d"])
def test_times_as_text_that_are_no_number_are_dropped_and_counted(tmp_path: Path, form: str) -> None:
    good = {"s": "5", "auto": "5", "ms": "5000", "us": "5000000", "ns": "5000000000"}.get(form, "1970-01-02")
    lines = "".join(f"a,x,{time}\n" for time in ("inf", "-inf", "nan", "Infinity", "NaN", good))
    (tmp_path / "a.csv").write_text(f"user,item,time\n{lines}")
    assert convert(tmp_path / "a.csv", "--time-format", form) == 0
    assert dropped(tmp_path) == {"time missing or not understood": 5}


def test_dates_of_every_year_are_read_or_dropped(tmp_path: Path) -> None:
    for kind, day in ((pa.date32(), 1), (pa.date64(), 86_400_000)):
        numbers = [2 * day, -1 * day, 2**31 - day, -(2**31)]
        times = pa.array(numbers, pa.int32() if day == 1 else pa.int64()).cast(kind)
        path = write(tmp_path, user=["a"] * 4, item=["x"] * 4, time=times)
        assert convert(path, "--overwrite") == 0
        assert inter(tmp_path)[0] == "a\tx\t172800\t1"
        assert "time outside the years 1970 to 9999" in dropped(tmp_path)


def test_a_pattern_reads_numbers_as_text(tmp_path: Path) -> None:
    """They were taken for seconds without a word."""
    path = write(tmp_path, time=[19700102, 20090504])
    assert convert(path, "--time-format", "%Y%m%d") == 0
    assert inter(tmp_path) == ["a\tx\t86400\t1", "b\ty\t1241395200\t1"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("user", "item"), ("user", "time"), ("item", "time"), ("item", "event"), ("time", "rating")],
)
def test_one_column_in_two_roles_is_refused(tmp_path: Path, first: str, second: str, capsys: Capture) -> None:
    assert convert(write(tmp_path), f"--{second}", first) == 2
    assert f"--{first} and --{second} both name the column '{first}'" in complaint(capsys, tmp_path)


@pytest.mark.parametrize("empty", ["\n", "\n\n\n", "\r\n", "\ufeff\n", "  \n", "\n" * 5_000_000])
def test_empty_lines_before_the_header_are_dropped_and_counted(tmp_path: Path, empty: str) -> None:
    (tmp_path / "a.csv").write_text(f"{empty}user,item,time\na,x,5\n", newline="")
    assert convert(tmp_path / "a.csv") == 0
    assert inter(tmp_path) == ["a\tx\t5\t1"]
    assert statistics(tmp_path)["rows"]["read"] == empty.count("\n") + 1
    assert dropped(tmp_path) == {"empty line": empty.count("\n")}


def test_two_columns_of_one_name_are_refused(tmp_path: Path, capsys: Capture) -> None:
    table = pa.table([["a"], ["b"], ["x"], [5]], names=["user", "user", "item", "time"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert convert(tmp_path / "a.parquet") == 2
    assert "a.parquet has more than one column 'user'" in complaint(capsys, tmp_path)
