"""The command line from raw files to a folder, and its one-line complaints."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import ROOT
from raw_logs import play, write_interactions, write_tracks

from dataset_converters import pipeline
from dataset_converters.__main__ import main


def run(capsys: pytest.CaptureFixture, *arguments: object) -> "tuple[int, str, str]":
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [
        (20, [play(2, 30), play(1, 10, 2), play(2, 20.9), play(2, 20.1, -1)]),
        (3, [play(1, 5), play(4, 5), play(1, 5, 9)]),
    ]
    write_interactions(folder, rows)
    genres = pa.array([[1, 2], None], pa.list_(pa.int64()))
    write_tracks(folder, [1, 2], ["One\tand", "null"], genre_id_list=genres)
    return folder


def test_parquet_end_to_end(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, out, err = run(capsys, "parquet", raw, tmp_path / "out", "--window", 30)
    assert (code, err) == (0, "")
    folder = tmp_path / "out" / "raw"
    assert (folder / "raw.inter").read_text().splitlines() == [
        "user_id:token\titem_id:token\ttimestamp:float\trating:float",
        "20\tOne%09and\t10\t2",
        "20\t%6Eull\t20\t-1",
        "20\t%6Eull\t20\t1",
        "20\t%6Eull\t30\t1",
        "3\tOne%09and\t5\t1",
        "3\tindex-4\t5\t1",
    ]
    assert (folder / "raw.item").read_text().splitlines() == [
        "item_id:token\tgenre_id_list:token_seq\ttrack_index:token",
        "One%09and\t1 2\t1",
        "%6Eull\t \t2",
        "index-4\t \t",
    ]
    statistics = json.loads((folder / "raw.stats.json").read_text())
    reason = "action 9 not among --ratings (1, 2, -1, -2)"
    assert statistics["rows"] == {"read": 7, "written": 6, "dropped": {reason: 1}}
    assert "MAX_ITEM_LIST_LENGTH: 30" in (folder / "raw.yaml").read_text()
    assert "raw: 2 users, 3 items, 6 plays from 1970-01-01T00:00:05Z to" in out
    assert f"  dropped 1: {reason}" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["raw"]


def test_same_input_same_bytes(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    contents = []
    for out in ("a", "b", "b"):
        assert run(capsys, "parquet", raw, tmp_path / out, "--overwrite")[0] == 0
        files = sorted((tmp_path / out / "raw").iterdir())
        contents.append([(file.name, file.read_bytes()) for file in files])
    assert contents[0] == contents[1] == contents[2]


def test_options_change_names_and_ratings(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["--name", "x", "--ratings=-1=0.5,9=9", "--unknown-tracks", "drop", "--action-field"]
    file = raw / "interactions.parquet"
    code, out, _ = run(capsys, "parquet", file, tmp_path / "out", *arguments, "action")
    assert code == 0
    lines = (tmp_path / "out" / "x" / "x.inter").read_text().splitlines()[1:]
    assert lines == ["20\t%6Eull\t20\t0.5", "3\tOne%09and\t5\t9"]
    assert "rows: 7 read, 2 written, 5 dropped" in out


def complain(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_mistakes_on_the_command_line(raw: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    for arguments, message in (
        ([], "required: SOURCE"),
        (["sonar"], "no source 'sonar'; use table, parquet, lastfm1k"),
        (["lastfm"], "no source 'lastfm' (did you mean lastfm1k?)"),
        (["parquet", raw], "required: OUT"),
        (["parquet", raw, out, "--name", "a b"], "--name 'a b' cannot name a data set"),
        (["parquet", raw, out, "--ratings", "1"], "EVENT=NUMBER"),
        (["parquet", raw, out, "--window", "0"], "--window '0': need a whole number from 1 up"),
        (["parquet", raw, out, "--colour"], "unrecognized arguments: --colour; see"),
        (["parquet", raw, out, "--unknown-track=keep2"], "--unknown-tracks 'keep2': need keep or drop"),
        (["parquet", raw, out, "--minuser-plays", "3"], "--minuser-plays (did you mean --min-user-plays?)"),
        (["parquet", raw, raw / "tracks.parquet"], "is a file; OUT must be a folder"),
        (["parquet", raw, out, "--ratings", "5=1"], "no event is left to write: 7 read, dropped:"),
        (["simulate", out, "--plays", "3"], "--plays 3 is too small: need at least 800"),
        (["simulate", out, "--users", "x"], "--users 'x': need a whole number from 1 up"),
        (["simulate", out, "--seed", "-1"], "--seed '-1': need a whole number from 0 up"),
    ):
        assert message in complain(capsys, *arguments)
    assert not list(out.glob("**/*"))


def test_unusable_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    assert "no file" in complain(capsys, "parquet", raw, out)
    assert "no file" in complain(capsys, "parquet", tmp_path / "nowhere", out)
    file = raw / "interactions.parquet"
    file.write_bytes(b"")
    assert "cannot be read as parquet" in complain(capsys, "parquet", raw, out)
    file.write_text("user_id\titem_id\n" * 20)
    assert "cannot be read as parquet" in complain(capsys, "parquet", raw, out)
    pq.write_table(pa.table({"user": [1]}), file)
    assert "'character_index' is not a column here" in complain(capsys, "parquet", raw, out)
    write_interactions(raw, [])
    assert "the raw data holds no events" in complain(capsys, "parquet", raw, out)
    write_interactions(raw, [(1, [play(1, 1)])])
    (raw / "tracks.parquet").write_text("nothing")
    assert "tracks.parquet cannot be read" in complain(capsys, "parquet", raw, out)
    whole = file.read_bytes()
    file.write_bytes(whole[:8] + b"\0" * 40 + whole[48:])
    (raw / "tracks.parquet").unlink()
    complain(capsys, "parquet", raw, out)
    assert not list(out.glob("**/*"))


def test_names_of_folders_that_are_no_text(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """They appear in notes and in what is printed."""
    try:
        odd = raw.rename(tmp_path / os.fsdecode(b"\xff"))
    except OSError:
        pytest.skip("this disk names folders by text only")
    (odd / "a.csv").write_text("u,i,t\na,b,5\n")
    arguments = ["table", odd, odd / "out", "--name", "x", "--user", "u", "--item", "i", "--time", "t"]
    for file in odd.glob("*.parquet"):
        file.rename(file.with_suffix(".other"))
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert r"written to " in out
    assert r"\udcff" in out
    statistics = json.loads((odd / "out" / "x" / "x.stats.json").read_text(encoding="utf-8"))
    assert "files of \udcff passed over, not .csv, .tsv, .txt, .parquet" in statistics["notes"]


def test_existing_data_set_is_kept(raw: Path, tmp_path: Path, capsys) -> None:
    run(capsys, "parquet", raw, tmp_path)
    assert "give --overwrite or --name" in complain(capsys, "parquet", raw, tmp_path, "--name=raw")


@pytest.mark.parametrize(
    ("error", "arguments", "code", "message"),
    [
        (OSError, (errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (KeyboardInterrupt, (), 130, "interrupted: nothing was written"),
    ],
)
def test_broken_off_writing_leaves_nothing(
    raw: Path, tmp_path: Path, capsys, monkeypatch, error, arguments, code: int, message: str
) -> None:
    def fail(path: Path, batches: object) -> None:
        path.write_text("half a file")
        raise error(*arguments)

    monkeypatch.setattr(pipeline, "write_inter", fail)
    got, out, err = run(capsys, "parquet", raw, tmp_path / "out")
    assert (got, out) == (code, "")
    assert message in err
    assert list((tmp_path / "out").iterdir()) == []


def test_termination_leaves_nothing(tmp_path: Path) -> None:
    """A real process is asked to end while it reads many files."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(3000):
        (raw / f"{number:04}.csv").write_text("u,i,t\na,b,5\n")
    arguments = ["table", raw, tmp_path / "out", "--user", "u", "--item", "i", "--time", "t"]
    command = [sys.executable, "-m", "dataset_converters", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.glob("out/.raw.partial/work")):
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted: nothing was written\n")
    assert list((tmp_path / "out").iterdir()) == []


def test_neither_torch_nor_recbole_is_imported() -> None:
    check = (
        "import sys, dataset_converters.__main__; "
        "sys.exit(bool({'torch', 'recbole', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0
