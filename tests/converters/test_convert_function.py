"""The Python function does what the command line does, and refuses what it refuses."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import ROOT
from raw_logs import Dump, every_dump, play, write, write_interactions, write_tracks

from dataset_converters import Conversion, ConversionError, convert
from dataset_converters.__main__ import main
from dataset_converters.events.selection import Selection
from dataset_converters.pipeline import Output
from dataset_converters.registry import SOURCES


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def agree(
    tmp_path: Path, source: str, raw: Path | None, arguments: list[object], options: dict[str, Any]
) -> Conversion:
    """Convert by both entrances, compare all files, and return the result."""
    by_command = tmp_path / "command"
    command = [source, *([raw] if raw else []), by_command, "--name", "x", *arguments]
    assert main([str(part) for part in command]) == 0
    made = convert(source, raw, tmp_path / "function", name="x", **options)
    assert contents(made.folder) == contents(by_command / "x")
    assert made.folder == tmp_path / "function" / "x"
    return made


@every_dump
def test_text_formats_give_the_same_bytes(tmp_path: Path, dump: Dump) -> None:
    raw = write(tmp_path, dump, dump.text() * 3)
    columns = [f"--{name}={value}" for name, value in dump.options.items()]
    arguments = [
        *columns,
        "--window",
        7,
        "--drop-duplicates",
        "--min-user-plays=2",
        "--from=2009-05-04T22:30",
    ]
    options = {
        **dump.options,
        "window": 7,
        "drop_duplicates": True,
        "min_user_plays": np.int64(2),
        "since": datetime(2009, 5, 5, 0, 30, tzinfo=timezone(timedelta(hours=2))),
    }
    made = agree(tmp_path, dump.source, raw, arguments, options)
    assert made.name == "x"
    assert made.statistics["rows"]["written"] == 2


def test_parquet_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_interactions(raw, [(20, [play(2, 30), play(1, 10, 2), play(5, 20, -1)]), (3, [play(1, 5)])])
    write_tracks(raw, [1, 2], ["one", "two"])
    arguments = ["--ratings", "1=3,2=4", "--unknown-tracks=drop", "--action-field=action"]
    options = {"ratings": {1: 3, "2": 4.0}, "unknown_tracks": "drop", "action_field": "action"}
    assert agree(tmp_path, "parquet", raw, arguments, options).statistics["ratings"] == {"3": 2, "4": 1}


def test_yambda_gives_the_same_bytes(tmp_path: Path) -> None:
    columns = {"uid": [7, 7], "item_id": [1, 2], "timestamp": [5, 10], "played_ratio_pct": [30, 20]}
    pq.write_table(pa.table(columns), tmp_path / "listens.parquet")
    options = {"min_played_ratio": 25, "users": 1, "seed": 3, "until": date(1970, 1, 2)}
    arguments = ["--min-played-ratio=25", "--users=1", "--seed=3", "--until=1970-01-02"]
    made = agree(tmp_path, "yambda", tmp_path / "listens.parquet", arguments, options)
    assert made.statistics["ratings"] == {"-1": 1, "1": 1}


@pytest.mark.parametrize("more", [{}, {"seed": 5, "sampling": "uniform"}])
def test_simulate_gives_the_same_bytes(tmp_path: Path, more: dict) -> None:
    options = {"users": 9, "items": 50, "plays": 300, "days": 9, "sample_items": 20, **more}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert agree(tmp_path, "simulate", None, arguments, options).statistics["users"] == 9


def test_names_come_from_the_raw_log(tmp_path: Path) -> None:
    (tmp_path / "my.log.csv").write_text("u,i,t\na,b,5\n")
    columns = {"user": "u", "item": "i", "time": "t"}
    made = convert("table", str(tmp_path / "my.log.csv"), str(tmp_path / "out"), **columns)
    assert (made.name, made.folder) == ("my", tmp_path / "out" / "my")
    assert convert("simulate", None, tmp_path, users=2, plays=10).name == "demo"


COLUMNS = {"user": "u", "item": "i", "time": "t"}


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("tabel", {}, r"no source 'tabel' \(did you mean table\?\); use table, parquet"),
        (["table"], {}, "no source"),
        ("table", {}, "options are required: --user, --item, --time"),
        ("table", {"user": "u", "time": "t"}, "required: --item$"),
        ("table", {**COLUMNS, "newest_frist": True}, r"'newest_frist' \(did you mean newest_first\?\)"),
        ("table", {**COLUMNS, "min_user_play": 1}, r"did you mean min_user_plays\?"),
        ("lfm1b", {"event": "e"}, "lfm1b has no option 'event'; it has none of its own"),
        ("lfm1b", {"min_played_ratio": 3}, "no option"),
        ("table", {**COLUMNS, "user": 5}, "--user 5: need text"),
        ("table", {**COLUMNS, "user": "\udcff"}, "--user .*: need text"),
        ("table", {**COLUMNS, "newest_first": "yes"}, "--newest-first 'yes': need True or False"),
        ("table", {**COLUMNS, "time_format": "%d"}, "does not say year, month and day"),
        ("table", {**COLUMNS, "delimiter": b","}, "--delimiter b',': need text"),
        ("table", {**COLUMNS, "ratings": {"play": "much"}}, "--ratings .*'play=much' is not understood"),
        ("table", {**COLUMNS, "ratings": {"play": True}}, "is not understood"),
        ("table", {**COLUMNS, "ratings": {(1, 2): 1}}, "--ratings .*: need text"),
        ("table", {**COLUMNS, "ratings": 3}, "--ratings 3: need text"),
        ("yandex", {"item_types": 3}, "--item-types 3: need texts"),
        ("yandex", {"item_types": ["track", 4]}, "--item-types .*: need text"),
        ("yambda", {"min_played_ratio": 101}, "--min-played-ratio 101: need a number from 0 to 100"),
        ("yambda", {"min_played_ratio": float("nan")}, "need a number from 0 to 100"),
        ("listenbrainz", {"item_key": "isrc"}, "--item-key 'isrc': need mbid or name"),
        ("listenbrainz", {"item_key": ["mbid"]}, "need mbid or name"),
        ("lfm1b", {"window": 0}, "--window 0: need a whole number from 1 up"),
        ("lfm1b", {"window": True}, "--window True: need a whole number"),
        ("lfm1b", {"window": 2.0}, "--window 2.0: need a whole number"),
        ("lfm1b", {"window": 10**5000}, "--window a value of type int: need a whole number"),
        ("lfm1b", {"since": 2009}, "--from 2009: need a date"),
        ("lfm1b", {"overwrite": 1}, "--overwrite 1: need True or False"),
        ("lfm1b", {"seed": 2**32}, "--seed 4294967296: need a whole number from 0 to 4294967295"),
        ("lfm1b", {"sampling": "best"}, "need proportional or popular or uniform"),
        ("lfm1b", {"name": "a/b"}, "--name 'a/b' cannot name a data set"),
        ("lfm1b", {"name": ""}, "--name '' cannot name a data set"),
        ("simulate", {"users": 0}, "--users 0: need a whole number from 1 up"),
        ("simulate", {"plays": 99}, "--plays 99 is too small: need at least 800"),
    ],
)
def test_mistakes_are_refused_in_one_line(tmp_path: Path, source: Any, options: dict, message: str) -> None:
    raw = None if source == "simulate" else tmp_path / "raw.csv"
    with pytest.raises(ConversionError, match=message) as caught:
        convert(source, raw, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("source", "raw", "out", "message"),
    [
        ("lfm1b", None, "out", "lfm1b needs RAW: LFM-1b_LEs.txt, or its folder"),
        ("simulate", "raw", "out", "simulate reads nothing: RAW must be None, not 'raw'"),
        ("lfm1b", 5, "out", "RAW 5 is no path"),
        ("lfm1b", 0, "out", "RAW 0 is no path"),
        ("lfm1b", "raw", None, "OUT None is no path"),
        ("lfm1b", "a\0b", "out", "null character"),
        ("lfm1b", "nowhere", "out", "no file nowhere"),
        ("lfm1b", "circle", "out", "circle is a link to circle"),
        ("simulate", None, "file/out", "file/out.*: Not a directory"),
    ],
)
def test_paths_that_cannot_be(tmp_path: Path, source: str, raw: Any, out: Any, message: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    with pytest.raises(ConversionError, match=message):
        convert(source, raw, out)


def test_an_interrupted_query_is_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    def interrupt(*arguments: object) -> None:
        raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")

    monkeypatch.setattr("dataset_converters.api.convert_log", interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert("simulate", None, tmp_path)


def test_the_signature_has_the_shared_options_and_their_defaults() -> None:
    shared = {field.name: field.default for kind in (Output, Selection) for field in fields(kind)}
    parameters = inspect.signature(convert).parameters.values()
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert keywords == {**shared, "seed": None}  # simulate has another default


def test_only_users_and_seed_mean_something_else_to_one_source() -> None:
    shared = {field.name for kind in (Output, Selection) for field in fields(kind)}
    for name, source in SOURCES.items():
        same = shared & {field.name for field in fields(source.options)}
        assert same == ({"users", "seed"} if name == "simulate" else set())


def test_importing_the_package_imports_nothing_heavy() -> None:
    check = (
        "import sys, dataset_converters as d; before = set(sys.modules); "
        "assert not before & {'pyarrow', 'duckdb', 'numpy', 'argparse'}, before; "
        "assert {'convert', 'Conversion', 'ConversionError'} <= set(dir(d)); "
        "import inspect, dataset_converters.pipeline; "
        "assert 'min_user_plays' in str(inspect.signature(d.convert)); "
        "assert not hasattr(d, 'converter')"
    )
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
