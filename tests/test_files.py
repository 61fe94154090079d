from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from recbole_popaware import files
from recbole_popaware.errors import UsageError
from recbole_popaware.files import (
    check_file,
    check_folder,
    locked,
    remove_leftovers,
    replacing,
    unique_name,
)

WRITING = """
import sys, time
from pathlib import Path
from recbole_popaware.files import locked, replacing
with locked(Path(".").resolve(), "test"), replacing(Path("whole.txt")) as part:
    part.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer():
    """Another process, in the middle of writing."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", WRITING]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)  # ours
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def parts(folder):
    return [file for file in folder.iterdir() if file.name.endswith(".part")]


def test_what_a_dead_process_has_left_goes_and_what_a_living_one_writes_stays(writer, tmp_path):
    (tmp_path / ".mine.part").write_text("of some other program")
    check_folder(tmp_path, "folder")
    assert len(parts(tmp_path)) == 2
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert not (tmp_path / "whole.txt").exists()
    check_folder(tmp_path, "folder")
    assert [file.name for file in parts(tmp_path)] == [".mine.part"]


def test_a_folder_is_one_s_own_until_one_dies(writer, tmp_path):
    with pytest.raises(UsageError, match="another search is at work"), locked(tmp_path, "search"):
        pass
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with locked(tmp_path, "search"):
        pass


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_a_file_is_whole_or_as_it_was(tmp_path, error):
    old = tmp_path / "old.txt"
    old.write_text("before")

    def write():
        with replacing(old) as part:
            part.write_text("half")
            raise error

    with pytest.raises(UsageError if isinstance(error, OSError) else type(error)) as raised:
        write()
    if isinstance(error, OSError):
        assert str(raised.value) == f"{old} cannot be written: No space left on device"
    assert [file.name for file in tmp_path.iterdir()] == ["old.txt"]
    assert old.read_text() == "before"
    with replacing(old) as part:
        part.write_text("after")
    assert old.read_text() == "after"


def test_a_new_file_takes_nobody_s_place(tmp_path):
    (tmp_path / "taken.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists"), replacing(tmp_path / "taken.txt", new=True) as part:
        part.write_text("yours")
    assert (tmp_path / "taken.txt").read_text() == "mine"
    with replacing(tmp_path / "free.txt", new=True) as part:
        part.write_text("yours")
    assert (tmp_path / "free.txt").read_text() == "yours"


def test_a_part_that_was_taken_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    lock = files.fcntl.flock
    swept = []

    def sweep_first(file, how):
        if not swept:
            swept.append(file.name)
            Path(file.name).unlink()
        lock(file, how)

    monkeypatch.setattr(files.fcntl, "flock", sweep_first)
    with replacing(tmp_path / "a.txt") as part:
        assert str(part) not in swept
        part.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_names_differ_within_a_second_whatever_the_seeds():
    import random

    import numpy as np

    names = set()
    for _ in range(50):
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002  # the global one
        names.add(unique_name("model"))
    assert len(names) == 50


def test_folders_that_cannot_be_written_to_are_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder, message in (
        ("/proc/x", "cannot be written to: "),
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "x", "cannot be written to: "),
    ):
        with pytest.raises(UsageError, match=rf"^logs \[.*\] {message}"):
            check_folder(folder, "logs")
    for target in (tmp_path, tmp_path / "gone" / "x", "/proc/x"):
        with pytest.raises(UsageError, match="output"):
            check_file(target, "output")
    check_file(tmp_path / "new", "output")
    assert not (tmp_path / "new").exists()


def test_leftovers_are_looked_for_in_folders_that_are_there(tmp_path):
    remove_leftovers(tmp_path / "gone")
