"""Every raw format, spoiled: all rows are written or dropped, or one line says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_logs import PACKERS, Dump, convert, every_dump, inter, tar_gz, write

Capture = pytest.CaptureFixture
Change = Callable[[bytes, int, bytes], bytes]

MUTATIONS: list[Change] = [
    lambda data, at, junk: data[:at] + junk + data[at:],
    lambda data, at, junk: data[:at] + junk + data[at + len(junk) :],
    lambda data, at, junk: data[:at] + data[at + len(junk) :],
    lambda data, at, junk: data[:at] + data[at : at + 40] * 2 + data[at + 40 :],
    lambda data, at, junk: data[: at + len(junk)],
    lambda data, at, junk: data[:at] + bytes(byte ^ junk[0] for byte in data[at : at + 1]) + data[at + 1 :],
]
WORDS = [
    "\n",
    "\r",
    "\r\n",
    "\t",
    ",",
    '"',
    '""',
    '"\n"',
    "\0",
    "null",
    "\nnull\n",
    "{}",
    "[",
    "inf",
    "1e308",
]
JUNK = st.binary(min_size=1, max_size=6) | st.sampled_from([word.encode() for word in WORDS] + [b"\xc3"])
CHANGES = st.lists(st.tuples(st.sampled_from(MUTATIONS), st.floats(0, 1), JUNK), min_size=1, max_size=4)

SAFE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=SAFE)
LONG = settings(QUICK, max_examples=400)


def spoil(data: bytes, changes: list[tuple[Change, float, bytes]]) -> bytes:
    for change, share, junk in changes:
        data = change(data, int(share * len(data)), junk)
    return data


def check(path: Path, dump: Dump, capsys: Capture, *arguments: object) -> dict | str:
    """Convert; return the counts of rows, or the line that says why there are none."""
    out = path.parent / "out"
    code = convert(path, dump, out, *arguments)
    captured = capsys.readouterr()
    if code:
        assert (code, captured.out) == (2, "")
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert "internal error" not in captured.err
        assert not list(out.glob("**/*"))
        return captured.err
    assert captured.err == ""
    assert [path.name for path in out.iterdir()] == ["x"]
    counted = json.loads((out / "x" / "x.stats.json").read_text(encoding="utf-8"))["rows"]
    written = inter(out)
    assert counted["read"] == len(written) + sum(counted["dropped"].values())
    for line in written:
        user, item, seconds, rating = line.split("\t")
        assert user
        assert item
        assert 0 <= int(seconds) < 253_402_300_800
        assert abs(float(rating)) <= 1e9
    return counted


def check_lines(folder: Path, capsys: Capture, dump: Dump, changes: list) -> None:
    """Every line of the spoiled file is accounted for."""
    head = f"{dump.header}\n".encode() if dump.header else b""
    body = spoil(dump.text().encode("utf-8")[len(head) :], changes)
    outcome = check(write(folder, dump, head + body), dump, capsys)
    if isinstance(outcome, str):
        assert any(text in outcome for text in ("no event", "UTF-16", "carriage returns alone"))
    else:
        assert outcome["read"] == body.count(b"\n") + (not body.endswith(b"\n"))


@every_dump
@QUICK
@given(changes=CHANGES)
def test_spoiled_lines(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, dump: Dump, changes: list
) -> None:
    check_lines(tmp_path_factory.mktemp("spoiled"), capsys, dump, changes)


@pytest.mark.slow
@every_dump
@LONG
@given(changes=CHANGES)
def test_many_spoiled_lines(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, dump: Dump, changes: list
) -> None:
    check_lines(tmp_path_factory.mktemp("spoiled"), capsys, dump, changes)


def check_whole(folder: Path, capsys: Capture, dump: Dump, changes: list) -> None:
    """The header is spoiled, too, and the file may be packed."""
    data = dump.text().encode("utf-8")
    files = {dump.file: data, **{f"{dump.file}{suffix}": pack(data) for suffix, pack in PACKERS.items()}}
    if dump.source in ("lastfm1k", "yandex", "lfm1b", "music4all_onion"):
        members = {f"a/{dump.file}": data, "a/userid-profile.tsv": b"ann\tm\t30\tX\tMay\n"}
        files["a.tar.gz"] = tar_gz(members)
    for number, (name, whole) in enumerate(files.items()):
        path = folder / str(number) / name
        path.parent.mkdir()
        path.write_bytes(spoil(whole, changes))
        check(path, dump, capsys)


@every_dump
@settings(QUICK, max_examples=3)
@given(changes=CHANGES)
def test_spoiled_headers_and_archives(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, dump: Dump, changes: list
) -> None:
    check_whole(tmp_path_factory.mktemp("spoiled"), capsys, dump, changes)


@pytest.mark.slow
@every_dump
@settings(LONG, max_examples=150)
@given(changes=CHANGES)
def test_many_spoiled_headers_and_archives(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, dump: Dump, changes: list
) -> None:
    check_whole(tmp_path_factory.mktemp("spoiled"), capsys, dump, changes)


ROWS = 40
FLAT = {
    "uid": pa.array([f"u{row % 3}" for row in range(ROWS)]),
    "item_id": pa.array([f"i{row % 7}" for row in range(ROWS)]),
    "timestamp": pa.array(range(ROWS), pa.int64()),
    "played_ratio_pct": pa.array([row * 5 % 101 for row in range(ROWS)], pa.uint16()),
    "event_type": pa.array([("listen", "like", "dislike", "share")[row % 4] for row in range(ROWS)]),
}
OFFSETS = pa.array(range(0, ROWS + 1, 8), pa.int32())
LISTED = {name: pa.ListArray.from_arrays(OFFSETS, column) for name, column in FLAT.items() if name != "uid"}
SEQUENTIAL = {"uid": pa.array(range(ROWS // 8)), **LISTED}
STRUCTS = pa.StructArray.from_arrays(
    [
        pa.array([row % 7 for row in range(ROWS)]),
        pa.array(range(ROWS), pa.timestamp("us")),
        pa.array([1, 2, -1, 9] * (ROWS // 4)),
    ],
    names=["track_index", "time", "action"],
)
NESTED = {
    "character_index": pa.array([f"u{row}" for row in range(ROWS // 8)]),
    "actions": pa.ListArray.from_arrays(OFFSETS, STRUCTS),
    "size_of_actions": pa.array([8] * (ROWS // 8)),
}
TRACKS = {
    "track_id": pa.array([f"t{row}" for row in range(6)]),
    "track_index": pa.array(range(6)),
    "name": pa.array(["a", None, "c", "d", "e", "f"]),
    "genres": pa.array([["a", "b"], [], None, ["c"], ["d"], ["e"]]),
}
ROLES = {"user": "uid", "item": "item_id", "time": "timestamp"}
TABLE = Dump("table", "", str, options={**ROLES, "event": "event_type"})
PARQUET = {
    "table": (TABLE, "plays.parquet", FLAT),
    "rated table": (
        Dump("table", "", str, options={**ROLES, "rating": "played_ratio_pct"}),
        "r.parquet",
        FLAT,
    ),
    "yambda": (Dump("yambda", "", str), "listens.parquet", FLAT),
    "sequential yambda": (Dump("yambda", "", str), "listens.parquet", SEQUENTIAL),
    "nested": (Dump("parquet", "", str), "interactions.parquet", NESTED),
    "tracks": (Dump("parquet", "", str), "tracks.parquet", TRACKS),
}
every_parquet = pytest.mark.parametrize("kind", PARQUET)


def check_parquet(folder: Path, capsys: Capture, kind: str, change: Callable[[Path], None]) -> None:
    """Write the file, change it, and convert the folder that it is in."""
    dump, name, columns = PARQUET[kind]
    raw = folder / "raw"
    raw.mkdir()
    if kind == "tracks":
        pq.write_table(pa.table(NESTED), raw / "interactions.parquet")
    pq.write_table(pa.table(columns), raw / name, compression="none", use_dictionary=["event_type"])
    change(raw / name)
    outcome = check(raw, dump, capsys)
    if isinstance(outcome, str):
        assert (
            name in outcome or "no event is left to write" in outcome or "raw data holds no events" in outcome
        )


def spoil_bytes(folder: Path, capsys: Capture, kind: str, changes: list) -> None:
    check_parquet(
        folder, capsys, kind, lambda path: path.write_bytes(spoil(path.read_bytes(), changes)) and None
    )


@every_parquet
@settings(QUICK, max_examples=20)
@given(changes=CHANGES)
def test_spoiled_parquet(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, kind: str, changes: list
) -> None:
    spoil_bytes(tmp_path_factory.mktemp("spoiled"), capsys, kind, changes)


@pytest.mark.slow
@every_parquet
@settings(LONG, max_examples=1500)
@given(changes=CHANGES)
def test_much_spoiled_parquet(
    tmp_path_factory: pytest.TempPathFactory, capsys: Capture, kind: str, changes: list
) -> None:
    spoil_bytes(tmp_path_factory.mktemp("spoiled"), capsys, kind, changes)


def any_text(rows: int, texts: list[bytes]) -> pa.Array:
    """Return texts that Arrow does not look at."""
    values = pa.array([texts[row % len(texts)] for row in range(rows)])
    return pc.cast(values, options=pc.CastOptions(pa.string(), allow_invalid_utf8=True))


RETYPED: list[Callable[[int], pa.Array]] = [
    lambda rows: pa.nulls(rows),
    lambda rows: pa.nulls(rows, pa.string()),
    lambda rows: pa.array([row % 2 == 0 for row in range(rows)]),
    lambda rows: pa.array([float("inf"), float("nan"), -1e308, 1.0, None] * rows)[:rows],
    lambda rows: pa.array([0.5] * rows),
    lambda rows: pa.array([2**64 - 1 - row for row in range(rows)], pa.uint64()),
    lambda rows: pa.array([-(2**63) + row for row in range(rows)]),
    lambda rows: pa.array(range(rows), pa.float16()),
    lambda rows: pa.array(range(rows), pa.duration("us")),
    lambda rows: pa.array(range(rows), pa.time64("us")),
    lambda rows: pa.array(range(rows), pa.date32()),
    lambda rows: pa.array(range(rows), pa.timestamp("ns", "Europe/Paris")),
    lambda rows: pa.array([[row] for row in range(rows)]),
    lambda rows: pa.array([["a", None]] * rows),
    lambda rows: pa.array([{"a": row} for row in range(rows)]),
    lambda rows: pa.array([[{"a": row, "b": row}] for row in range(rows)]),
    lambda rows: pa.array(range(rows)).cast(pa.decimal128(30, 4)),
    lambda rows: pa.array([b"0123456789abcdef"] * rows, pa.binary(16)),
    lambda rows: any_text(rows, [b"\xff", b"a\xc3", b"ok"]),
    lambda rows: any_text(rows, [b"\xff", b"listen"]).dictionary_encode(),
    lambda rows: any_text(rows, [b"a\tb\n", b"", b"[PAD]", b"NA", b'"', b"\0"]),
]


def check_retyped(folder: Path, capsys: Capture, kind: str, column: str, make: Callable) -> None:
    def retype(path: Path) -> None:
        table = pq.read_table(path)
        at = table.column_names.index(column)
        pq.write_table(table.set_column(at, column, make(table.num_rows)), path)

    check_parquet(folder, capsys, kind, retype)


@pytest.mark.parametrize("number", range(len(RETYPED)))
@every_parquet
def test_retyped_columns(tmp_path: Path, capsys: Capture, kind: str, number: int) -> None:
    for column in PARQUET[kind][2]:
        (tmp_path / column).mkdir()
        check_retyped(tmp_path / column, capsys, kind, column, RETYPED[number])
