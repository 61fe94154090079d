from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dataset_converters import pipeline
from dataset_converters.__main__ import main
from dataset_converters.common import progress
from dataset_converters.common.progress import RowBar
from dataset_converters.output import space

ARGUMENTS = ["--users", "20", "--plays", "5000", "--binary-only", "--name", "x"]


def convert(folder: Path, *arguments: str) -> int:
    """Simulate a log, and convert it as text with a header."""
    assert main(["simulate", str(folder / "made"), "--users", "20", "--plays", "5000", "--name", "y"]) == 0
    columns = ["--user", "user_id:token", "--item", "item_id:token", "--time", "timestamp:float"]
    raw = shutil.copy(folder / "made" / "y" / "y.inter", folder / "plays.tsv")
    return main(["table", str(raw), str(folder / "out"), "--name", "x", *columns, *arguments])


def test_a_large_log_is_announced_once_before_it_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(space, "LARGE", 1000)
    monkeypatch.setattr(pipeline, "_ENOUGH", 100)
    assert convert(tmp_path, "--binary-only") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "rows to read" in line]
    (line,) = lines
    rows = int(
        re.match(r"some ([\d,]+) rows to read: about [\d.]+ MB of disk, and .* left$", line)[1].replace(
            ",", ""
        )
    )
    assert rows == pytest.approx(5000, rel=0.1)


def test_too_little_room_is_said_while_reading(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(space, "LARGE", 1000)
    monkeypatch.setattr(pipeline, "_ENOUGH", 100)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda at: usage._replace(free=100_000) if at.name == "out" else usage
    )
    assert convert(tmp_path) == 2
    error = capsys.readouterr().err.splitlines()
    assert any(line.endswith("that will not do, unless options leave rows out") for line in error)
    assert error[-1].startswith("error: not enough room")


def test_small_logs_are_converted_without_a_word(tmp_path, capsys):
    assert main(["simulate", str(tmp_path), *ARGUMENTS]) == 0
    assert capsys.readouterr().err == ""


def test_where_no_bar_is_seen_a_line_a_minute_says_how_far_it_is(monkeypatch, capsys):
    clock = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with RowBar("reading") as bar:
        for _ in range(5):
            clock[0] += 25
            bar.add(50_000)
            bar.total = 1_000_000
    assert capsys.readouterr().err == ("reading: 150,000 of 1,000,000 rows, 2,000 a second, 7 minutes left\n")
