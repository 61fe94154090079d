"""Lists made in Ray's workers are those of one process."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import GTS, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.recommending.__main__ import main

PLAYS = looping_plays(n_users=48, n_items=40)


def _why_no_ray() -> str | None:
    try:
        version = tuple(map(int, metadata.version("ray").split(".")[:2]))
    except metadata.PackageNotFoundError:
        return "Ray is not installed"
    return None if version >= (2, 51) else f"Ray {version} is too old: requirements-ray.txt"


with_ray = pytest.mark.skipif(_why_no_ray() is not None, reason=str(_why_no_ray()))


@pytest.fixture
def file(toy, tmp_path):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    return save("PopSASRec", toy)


def write_history(folder, n=16):
    frame = pd.DataFrame(PLAYS, columns=["user_id", "item_id", "timestamp"])
    for number, part in frame.groupby(frame.user_id.str[1:].astype(int) % n):
        Path(folder, f"bucket={number}").mkdir(parents=True)
        part.to_parquet(Path(folder, f"bucket={number}", "part-0.parquet"), index=False)


def lists_of(path):
    """All rows in one order, as bytes a column."""
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    frame = pd.concat([pd.read_parquet(file, partitioning=None) for file in files])
    frame = frame.sort_values(["user_id", "rank"], ignore_index=True)
    return {name: column.to_numpy() for name, column in frame.items()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        if values.dtype == object or isinstance(values[0], str):
            assert values.tolist() == other[name].tolist(), name
        else:
            assert values.tobytes() == other[name].tobytes(), name


@with_ray
@pytest.mark.slow
def test_a_folder_of_16_files_has_the_lists_of_one_run_and_no_part_is_made_twice(file, tmp_path, capsys):
    write_history("plays")
    recbole_popaware.recommend(file, output="alone.parquet", history="plays")
    command = ["--checkpoint", file, "--history=plays", "--output=lists", "--tool=ray", "--workers=2"]
    assert main(command) == 0
    assert capsys.readouterr().out == "48 users\nwritten to lists\n"
    assert_equal(lists_of(tmp_path / "alone.parquet"), lists_of(tmp_path / "lists"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "lists").rglob("*.parquet")}
    assert len(before) == 16
    for path in list(before)[:5]:
        path.unlink()
    assert main(command) == 0
    assert capsys.readouterr().out == "15 users; 11 files were there already\nwritten to lists\n"
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "lists").rglob("*.parquet")}
    assert after.keys() == before.keys()
    assert sum(after[path] == before[path] for path in before) == 11
    recbole_popaware.recommend(file, output="lists", history="plays", shard="1/2")  # takes them for its own
    assert main([*command, "--topk=3"]) == 2
    assert "name another folder" in capsys.readouterr().err


@with_ray
@pytest.mark.slow
@pytest.mark.parametrize("model", ["PopSASRec", "PopOnly"])
def test_one_log_is_made_in_parts_too(toy, tmp_path, model):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    file, options = save(model, toy, eval_args=GTS), {"batch_size": 3, "topk": 6}
    recbole_popaware.recommend(file, output="alone.parquet", **options)
    recbole_popaware.recommend(file, output="lists", tool="ray", workers=2, **options)
    names = sorted(os.listdir("lists"))  # noqa: PTH208
    assert names == [f"lists-{n:05}-of-00016.parquet" for n in range(1, 17)]
    assert_equal(lists_of(tmp_path / "alone.parquet"), lists_of(tmp_path / "lists"))


@with_ray
@pytest.mark.slow
def test_mistakes_in_workers_are_one_line_and_what_is_finished_stays(file, tmp_path, capsys, caplog):
    write_history("plays")
    bad = tmp_path / "plays" / "bucket=7" / "part-0.parquet"
    pd.DataFrame({"user_id": ["a"], "item_id": ["i1"], "timestamp": [np.inf]}).to_parquet(bad)
    command = ["--checkpoint", file, "--history=plays", "--output=lists", "--tool=ray", "--workers=1"]
    assert main(command) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "are no finite numbers" in printed
    assert all(pd.read_parquet(path).user_id.nunique() == 3 for path in Path("lists").rglob("*.parquet"))
    pd.DataFrame({"user_id": ["a"], "item_id": ["other"], "timestamp": [1]}).to_parquet(bad)
    assert main(command) == 0
    assert "1 of 1 plays are left out, of items that the model does not know" in caplog.text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--tool=spark", "--output=lists"], "must be ray"),
        (["--tool=ray"], "needs an output, a folder"),
        (["--tool=ray", "--output=lists", "--shard=1/2"], "leave out the shard"),
        (["--workers=2", "--output=lists"], "need tool=ray"),
        (["--tool=ray", "--workers=0", "--output=lists"], "at least 1"),
    ],
)
def test_options_of_ray_that_cannot_be(file, argv, message, capsys):
    assert main(["--checkpoint", file, *argv]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert message in printed


def test_ray_that_is_not_installed_is_reported(file, capsys, monkeypatch):
    monkeypatch.setattr("recbole_popaware.recommending.options.importlib.util.find_spec", lambda name: None)
    assert main(["--checkpoint", file, "--output=lists", "--tool=ray"]) == 2
    assert "needs ray" in capsys.readouterr().err


@with_ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "message"),
    [(["--ray-address=127.0.0.1:1"], "127.0.0.1:1"), (["--output=x.parquet"], "a folder")],
)
def test_no_cluster_and_no_folder(file, argv, message, capsys):
    assert main(["--checkpoint", file, "--output=lists", "--tool=ray", *argv]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert message in printed
