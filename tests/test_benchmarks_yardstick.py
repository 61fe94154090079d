"""The yardstick of benchmarks/ measures as the package does, and runs on the data that come with it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT

SCRIPT = ROOT / "benchmarks" / "yardstick.py"
DATA = ROOT / "recbole_popaware" / "dataset_example"
FIGURES = {"GradedNDCG@10", "ExploreRecall@10", "ExploreRecall@100"}


@pytest.fixture(scope="module")
def yardstick():
    spec = importlib.util.spec_from_file_location("yardstick", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def candidates_of(yardstick):
    """Two moments: items 0 to 2 of the first and 0 to 1 of the second; the last of each is new."""
    return yardstick.Candidates(
        rows=np.array([0, 0, 0, 1, 1]),
        new=np.array([False, False, True, False, True]),
        x=np.arange(5.0)[:, None],
        score=np.zeros(5),
        hit=np.array([True, False, True, True, False]),
        targets=np.array([2, 3]),
        new_targets=np.array([1, 2]),
    )


def test_targets_that_are_no_candidates_count_as_missed(yardstick):
    candidates = candidates_of(yardstick)
    measured = yardstick.figures(candidates, np.array([3.0, 2.0, 1.0, 1.0, 2.0]))
    first = (1 + 1 / 2) / (1 + 1 / np.log2(3))
    second = (1 / np.log2(3)) / (1 + 1 / np.log2(3) + 1 / 2)
    assert measured["GradedNDCG@10"] == pytest.approx((first + second) / 2, abs=1e-4)
    assert measured["ExploreRecall@10"] == measured["ExploreRecall@100"] == 0.5


def test_discoveries_alone_have_no_ndcg(yardstick):
    candidates = candidates_of(yardstick)
    only = candidates.only(candidates.new)
    assert yardstick.figures(only, np.zeros(2)) == {"ExploreRecall@10": 0.5, "ExploreRecall@100": 0.5}


def test_moments_are_numbered_anew(yardstick):
    kept = candidates_of(yardstick).of_moments(np.array([False, True]))
    assert kept.rows.tolist() == [0, 0]
    assert kept.x.tolist() == [[3.0], [4.0]]
    assert (kept.targets.tolist(), kept.new_targets.tolist()) == ([3], [2])


def command(tmp_path, *more):
    words = [sys.executable, "-W", "ignore", SCRIPT, DATA, "demo", *more]
    environment = {"PYTHONPATH": ":".join([str(ROOT), *sys.path]), "PATH": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )


@pytest.mark.slow
def test_a_network_is_not_judged_on_what_it_learned(tmp_path):
    pytest.importorskip("lightgbm")
    done = command(tmp_path, "--network", "any.pth")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --network has learned the plays after past moments; add --train-on valid"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("split", ["gts", "loo"])
def test_every_setting_is_a_line(tmp_path, split):
    pytest.importorskip("lightgbm")
    done = command(tmp_path, "--split", split, "--requests", "400", "--set", "epochs=2")
    assert done.returncode == 0, done.stderr
    popular, *trees = map(json.loads, done.stdout.splitlines())
    assert popular["system"] == "PopOnly"
    assert popular["test"].keys() == FIGURES
    settings = [(line["over"], line["start"]) for line in trees]
    assert settings == [("all", "nothing"), ("all", "PopOnly"), ("new", "nothing"), ("new", "PopOnly")]
    assert all(sum(line["gain"]["groups"].values()) == pytest.approx(1, abs=0.01) for line in trees)
