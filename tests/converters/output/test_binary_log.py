"""The binary form that a conversion writes is that of the text it writes."""

from __future__ import annotations

import errno
import random
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters import convert
from dataset_converters.__main__ import main
from dataset_converters.common.errors import ConversionError
from dataset_converters.events.chunks import Plays
from dataset_converters.output import log as log_module
from dataset_converters.output import space
from dataset_converters.output.log import LogColumns
from recbole_popaware.data.log_text import read_log
from recbole_popaware.data.reader import read_header
from recbole_popaware.plays.log_file import is_sealed, open_log

NAMES = ("user_id", "item_id", "timestamp", "rating")


def assert_same(log, other) -> None:
    for name in ("names", "user_ids", "item_ids"):
        assert list(getattr(log, name)) == list(getattr(other, name))
    for name in ("starts", "items", "times", "ratings"):
        assert getattr(log, name).tolist() == getattr(other, name).tolist()
        assert getattr(log, name).dtype == getattr(other, name).dtype
    assert (log.renumbered is None) == (other.renumbered is None)
    for one, two in zip(log.renumbered or (), other.renumbered or ()):
        assert one.tolist() == two.tolist()


def of_text(folder: Path, name: str):
    text = folder / f"{name}.inter"
    return read_log(text, read_header(str(text), "\t", "utf-8"), NAMES)


def raw_log(file: Path, ratings: list[str]) -> Path:
    draw = random.Random(5)
    users, items, seconds = range(8), range(20), range(10, 90)
    rows = [
        f"u{draw.choice(users)},i{draw.choice(items)},16000000{draw.choice(seconds)}.5,{draw.choice(ratings)}"
        for _ in range(400)
    ]
    file.write_text("\n".join(["user,item,time,rating", *rows]) + "\n")
    return file


RATINGS = {
    "play": ["1"],
    "judged": ["1", "1", "2", "-1", "-2"],
    "fractions": ["0.5", "3.25", "-0.1"],
    "large": ["300", "2"],
}


@pytest.mark.parametrize("kind", RATINGS)
@pytest.mark.parametrize("on_disk", [False, True])
def test_it_is_that_of_the_text(tmp_path: Path, monkeypatch, kind, on_disk) -> None:
    if on_disk:
        from dataset_converters.events import store

        monkeypatch.setattr(store.EventStore.__init__, "__defaults__", (0,))
    raw = raw_log(tmp_path / "raw.csv", RATINGS[kind])
    columns = {"user": "user", "item": "item", "time": "time", "rating": "rating"}
    monkeypatch.setattr("dataset_converters.events.store._GROUP", 50)
    whole = convert("table", raw, tmp_path, name="whole", **columns).folder
    opened = open_log(whole / "whole.inter.arrow")
    assert_same(opened.log, of_text(whole, "whole"))
    assert opened.log.checksum() == opened.checksum
    assert is_sealed(whole / "whole.inter.arrow", "", (whole / "whole.inter").stat().st_mtime_ns)
    alone = convert("table", raw, tmp_path, name="alone", binary_only=True, **columns).folder
    assert_same(open_log(alone / "alone.inter.arrow").log, opened.log)
    assert not (alone / "alone.inter").exists()
    assert (alone / "alone.stats.json").read_bytes() == (whole / "whole.stats.json").read_bytes()


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 6),
                st.sampled_from([1, 200, 2**31, 2**33]),
                st.sampled_from([1.0, -2.0, 500.0, 0.1]),
            ),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_groups_of_any_size_give_the_same_columns(tmp_path_factory, users) -> None:
    tmp_path = tmp_path_factory.mktemp("columns")
    logs = []
    for groups in ([users], [[user] for user in users]):
        folder = tmp_path / str(len(groups) + len(logs))
        folder.mkdir()
        columns, code = LogColumns(folder, 7), 0
        for group in groups:
            sizes = [len(plays) for plays in group]
            items, times, ratings = zip(
                *(play for plays in group for play in sorted(plays, key=lambda play: play[1]))
            )
            of_users = np.repeat(np.arange(code, code + len(group), dtype=np.int32), sizes)
            times_us = np.array(times) * 1_000_000
            columns.add(Plays(of_users, np.array(items, np.int32), times_us, np.array(ratings, float)))
            code += len(group)
        names = [log_module.pa.array([f"{kind}{n}" for n in range(7)]) for kind in "ui"]
        columns.write(folder / "log", *names)
        logs.append(open_log(folder / "log").log)
    assert_same(*logs)
    flat = [play for plays in users for play in sorted(plays, key=lambda play: play[1])]
    assert [logs[0].item_ids[int(n)].as_py() for n in logs[0].items] == [f"i{item}" for item, *_ in flat]
    assert logs[0].times.tolist() == [time for _, time, _ in flat]
    assert logs[0].ratings.tolist() == [rating for *_, rating in flat]


def test_a_binary_log_is_not_overwritten_unasked(tmp_path: Path, capsys) -> None:
    arguments = ["simulate", str(tmp_path), "--name", "x", "--users", "5", "--binary-only"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main(arguments) == 2
    assert "holds a data set already" in capsys.readouterr().err
    assert main([*arguments[:-1], "--overwrite"]) == 0
    assert {file.name for file in (tmp_path / "x").iterdir()} >= {"x.inter", "x.inter.arrow"}
    assert main([*arguments, "--overwrite"]) == 0
    assert not (tmp_path / "x" / "x.inter").exists()


class FullDisk:
    """A file that takes so many bytes."""

    def __init__(self, file, left: list[int]) -> None:
        self.file, self.left = file, left

    def write(self, data: bytes) -> None:
        self.left[0] -= len(data)
        if self.left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.file.write(data)


@pytest.mark.parametrize("room", [0, 1000, 3000])
def test_a_full_disk_ends_in_one_line(tmp_path: Path, monkeypatch, capsys, room) -> None:
    opened, left = log_module.opened, [room]

    @contextmanager
    def limited(*args):
        with opened(*args) as file:
            yield FullDisk(file, left)

    monkeypatch.setattr(log_module, "opened", limited)
    assert main(["simulate", str(tmp_path / "out"), "--name", "x", "--users", "5"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.endswith("No space left on device\n")
    assert error.count("\n") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_fills_as_the_binary_form_is_written(tmp_path: Path, monkeypatch) -> None:
    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(log_module, "write_log", fill)
    with pytest.raises(
        ConversionError, match=r"^\S*x\.inter\.arrow cannot be written: No space left on device$"
    ):
        convert("simulate", None, tmp_path / "out", name="x", users=5)
    assert list((tmp_path / "out").iterdir()) == []


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch, capsys) -> None:
    arguments = ["simulate", str(tmp_path / "out"), "--name", "x", "--users", "5", "--plays", "1000"]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=20_000))
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(
        r"error: not enough room on the disk of \S+: [\d,]+ plays take at least .* are left; .*\n",
        error,
    )
    assert list((tmp_path / "out").iterdir()) == []
    assert main([*arguments, "--binary-only"]) == 0
    monkeypatch.setattr(space, "LARGE", 100)
    assert main([*arguments, "--binary-only", "--overwrite"]) == 0
    assert capsys.readouterr().err.startswith("writing ")
