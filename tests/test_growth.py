"""The benchmark of growth makes the logs that it says, and goes all the way on small ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import ROOT

FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def test_slopes_are_powers():
    from growth import slope

    assert slope([(x, 3 * x**1.5) for x in (10, 100, 1000)]) == 1.5
    assert slope([(x, 7) for x in (10, 100, 1000)]) == 0
    assert slope([(10, 3)]) is None


@pytest.mark.parametrize("plays", [1_500, 3_000, 20_000])
def test_sizes_sum_to_the_plays_between_least_and_most(plays):
    from growth_logs import Shape, draw_sizes

    sizes = draw_sizes(
        Shape(plays, 50, 10, least=24, most=300 if plays < 10_000 else 500), np.random.default_rng(2)
    )
    assert sizes.sum() == plays
    assert sizes.min() >= 24
    assert sizes.max() == (300 if plays < 10_000 else 500)


def test_sizes_that_do_not_fit_are_refused():
    from growth_logs import Shape, draw_sizes

    for plays in (50 * 24, 50 * 300 + 1):
        with pytest.raises(ValueError, match="cannot have"):
            draw_sizes(Shape(plays, 50, 10, least=24, most=300), np.random.default_rng(2))


def test_logs_have_their_shape(tmp_path):
    from growth_logs import Shape, write_flat, write_nested

    shape = Shape(plays=4_000, users=40, items=500, most=900)
    write_flat(tmp_path / "flat.parquet", shape)
    flat = pq.read_table(tmp_path / "flat.parquet")
    write_nested(tmp_path, shape)
    nested = pq.read_table(tmp_path / "interactions.parquet")
    actions = nested["actions"].combine_chunks().flatten()
    assert (len(flat), len(actions), len(nested)) == (4_000, 4_000, 40)
    assert len(flat["item_id"].unique()) == len(actions.field("track_index").unique()) == 500
    assert nested["size_of_actions"].to_numpy().max() == 900
    assert pq.read_metadata(tmp_path / "tracks.parquet").num_rows == 500
    times = flat["timestamp"].to_numpy()
    assert (np.diff(times.astype(int)) >= 0).all()


def run(*words: object) -> list[dict]:
    command = [sys.executable, "-W", "ignore", str(FOLDER / "growth.py"), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_small_curves_have_all_stages_and_are_completed(tmp_path):
    pytest.importorskip("matplotlib")
    words = ("curves", "--axis", "users", "--quick", "--steps", 3, "--out", tmp_path / "lines")
    lines = run(*words, "--figure", tmp_path / "growth.png", "--folder", tmp_path)
    stages = ["convert", "load", "step", "evaluate", "recommend"]
    assert [(line["at"], line["stage"]) for line in lines if "at" in line] == [
        (users, stage) for users in (100, 400) for stage in stages
    ]
    assert [line["users"] for line in lines if line["stage"] == "convert" and "at" in line] == [100, 400]
    of_convert = next(line["exponents"] for line in lines if "exponents" in line)
    assert 0.5 < of_convert["disk_mb"] < 1.5
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growth.png", "lines"]
    again = run(*words)
    assert all("exponents" in line for line in again)
    assert (tmp_path / "lines").read_text().count("\n") == 15


@pytest.mark.slow
def test_nested_logs_go_all_the_way(tmp_path):
    words = (
        "--plays",
        5_000,
        "--users",
        50,
        "--items",
        300,
        "--most",
        1_000,
        "--evaluated",
        20,
        "--steps",
        3,
    )
    lines = run("nested", *words, "--folder", tmp_path)
    assert [line["stage"] for line in lines] == ["convert", "load", "step", "evaluate", "recommend"]
    assert (lines[0]["users"], lines[0]["plays"], lines[0]["most_plays"]) == (50, 5_000, 1_000)
    assert lines[3]["evaluated"] == 20
    assert lines[4]["listed"] == 50
