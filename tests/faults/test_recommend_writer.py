"""Kills, full disks, closed folders and rivals: the file of lists is whole, the old one, or not there."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import ROOT, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending import writer
from recbole_popaware.recommending.__main__ import main

SUFFIXES = [".parquet", ".csv", ".jsonl"]
TABLE = pa.table({"user_id": [f"u{n}" for n in range(500)], "rank": list(range(500))})
SLOW_WRITER = """
import sys, time, pyarrow as pa
from pathlib import Path
from recbole_popaware.recommending import writer
writer._ROW_GROUP = 1
table = pa.table({"user_id": [sys.argv[2]] * 1000})
def tables():
    print("begun", flush=True)
    for _ in range(20):
        time.sleep(0.01)
        yield table
writer.write(Path(sys.argv[1]), table.schema, tables())
"""


def start(*words):
    return subprocess.Popen(  # the arguments are this file's
        [sys.executable, "-c", SLOW_WRITER, *map(str, words)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def kill_at_random(folder, suffix, times, generator):
    file = Path(folder, f"lists{suffix}")
    whole = set()
    writer.write(file, TABLE.schema, [TABLE])
    before = file.read_bytes()
    for number in range(times):
        child = start(file, "new")
        assert child.stdout.readline() == b"begun\n"
        if number:  # and once to the end
            time.sleep(generator.uniform(0, 0.25))
            child.kill()
        child.communicate()
        whole.add(file.read_bytes())
    assert len(whole - {before}) == 1  # the new one, however often it was killed
    writer.check_output(file)
    assert [left.name for left in Path(folder).iterdir()] == [file.name]


def test_a_killed_process_leaves_the_old_file_and_its_rest_goes(tmp_path):
    file = tmp_path / "lists.csv"
    file.write_text("of an earlier run")
    child = start(file, "new")
    child.stdout.readline()
    time.sleep(0.05)
    child.kill()
    child.communicate()
    assert file.read_text() == "of an earlier run"
    assert len(list(tmp_path.iterdir())) == 2
    writer.check_output(file)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_kills_at_random_moments(tmp_path, suffix):
    kill_at_random(tmp_path, suffix, 15, random.Random(7))


def test_eight_at_once_leave_one_whole_file(tmp_path):
    file = tmp_path / "lists.csv"
    children = [start(file, f"user {n}") for n in range(8)]
    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [0] * 8
    assert list(tmp_path.iterdir()) == [file]
    lines = file.read_text().splitlines()
    assert len(lines) == 20_001
    assert len(set(lines[1:])) == 1


@contextmanager
def files_of_10_kilobytes():
    """No file grows larger meanwhile, that of pytest's output neither."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_grows_too_large_is_reported(tmp_path, suffix):
    file = tmp_path / f"lists{suffix}"
    file.write_text("of an earlier run")
    too_large = pytest.raises(UsageError, match=r"lists\..* cannot be written.*File too large")
    with too_large, files_of_10_kilobytes():
        writer.write(file, TABLE.schema, (TABLE for _ in range(100_000)))
    assert file.read_text() == "of an earlier run"
    assert list(tmp_path.iterdir()) == [file]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)  # the arguments are this file's
    except OSError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # the arguments are this file's


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_is_full_is_reported(small_disk, suffix):
    file = small_disk / f"lists{suffix}"
    file.write_text("of an earlier run")
    with pytest.raises(UsageError, match="No space left"):
        writer.write(file, TABLE.schema, (TABLE for _ in range(100_000)))
    assert file.read_text() == "of an earlier run"
    assert list(small_disk.iterdir()) == [file]


def test_a_disk_that_is_read_only_is_told(small_disk):
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)  # the arguments are this file's
    with pytest.raises(UsageError, match="Read-only"):
        writer.check_output(small_disk / "lists.csv")


def test_places_that_hold_no_files_are_told_before_the_work(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "astray.csv").symlink_to(tmp_path / "gone" / "lists.csv")
    wrong = [tmp_path / "pipe.csv", tmp_path / "astray.csv", tmp_path / "pipe.csv" / "lists.csv"]
    wrong += [tmp_path / ("x" * 300 + ".csv"), tmp_path / "a\0b.csv"]
    wrong += [Path("/proc/lists.csv")] if Path("/proc/self").exists() else []
    for path in wrong:
        with pytest.raises(UsageError, match=r"^output") as refused:
            writer.check_output(path)
        assert str(refused.value).count("output") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_closed_is_told(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(UsageError, match="Permission denied"):
        writer.check_output(tmp_path / "lists.csv")


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "lists.parquet"
    link.symlink_to(tmp_path / "there" / "lists.parquet")
    writer.check_output(link)
    writer.write(link, TABLE.schema, [TABLE])
    assert link.is_symlink()
    assert pq.read_table(tmp_path / "there" / "lists.parquet").num_rows == 500


@pytest.fixture
def checkpoint(toy, tmp_path):
    write_atomic(tmp_path / "data", "toy", looping_plays(n_users=40))
    return save("PersonalizedMostPop", toy)


@pytest.mark.parametrize("option", ["--users", "--item-file", "--history"])
def test_files_that_are_read_are_not_replaced(checkpoint, tmp_path, capsys, option):
    given = tmp_path / "given.csv"
    given.write_text("user_id,item_id,title\nu1,i1,One\n")
    (tmp_path / "link.csv").symlink_to(given)
    before = given.read_bytes()
    for output in ("given.csv", "link.csv", f"../{tmp_path.name}/given.csv"):
        assert main(["--checkpoint", checkpoint, option, str(given), "--output", output]) == 2
        assert "is a file that is read" in capsys.readouterr().err
    assert given.read_bytes() == before


def test_nor_are_they_in_python(checkpoint, tmp_path):
    (tmp_path / "users.csv").write_text("user_id\nu1\n")
    with pytest.raises(UsageError, match="is a file that is read"):
        recbole_popaware.recommend(checkpoint, "users.csv", output="users.csv")


@pytest.mark.slow
def test_the_command_killed_at_random_moments(checkpoint, tmp_path):
    generator, file = random.Random(3), tmp_path / "out" / "lists.csv"
    file.parent.mkdir()
    command = [sys.executable, "-m", "recbole_popaware.recommend", "--checkpoint", checkpoint]
    command += ["--output", str(file), "--batch-size=1", "--topk=10"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, capture_output=True, env=environment)  # its own words
    whole = file.read_bytes()
    for number in range(12):
        file.unlink(missing_ok=True)
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)  # its own words
        time.sleep(generator.uniform(2, 6))
        child.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        child.wait()
        assert not file.exists() or file.read_bytes() == whole
    subprocess.run(command, check=True, capture_output=True, env=environment)  # its own words
    assert [left.name for left in file.parent.iterdir()] == ["lists.csv"]
