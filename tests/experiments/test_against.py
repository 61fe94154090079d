"""One system of an experiment against all others (``benchmarks/against.py``)."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("against", ROOT / "benchmarks" / "against.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def results(tmp_path):
    """Scores of 40 users, two seeds: ``good`` is 0.5 above ``bad`` and as good as ``like``, but for noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, (3, 2, 40))
    rows = [
        (system, seed, str(user), "NDCG@10", level + noise[s, seed, user])
        for s, (system, level) in enumerate({"bad": 0.0, "good": 0.5, "like": 0.5}.items())
        for seed in range(2)
        for user in range(40)
    ]
    frame = pd.DataFrame(rows, columns=["system", "seed", "user", "metric", "value"])
    frame.to_parquet(tmp_path / "per_user.parquet")
    return tmp_path, frame


def test_a_difference_is_that_of_the_means_and_a_dot_marks_chance(script, results):
    _, frame = results
    scores = script.scores_of_systems(frame, "NDCG@10")
    cells = script.against(scores, "good")
    means = frame.groupby("system")["value"].mean()
    assert list(cells) == ["bad", "like"]
    assert cells["bad"].startswith(f"{means['good'] - means['bad']:+.4f} [0.4")
    assert not cells["bad"].endswith("·")
    assert cells["like"].endswith("·")


def test_the_table_has_a_column_for_each_reference(script, results, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["against.py", str(results[0]), "good", "like", "--measure", "NDCG@10"])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| system | good less it | like less it |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| bad", "| good", "| like"]


@pytest.mark.parametrize(
    ("arguments", "says"), [(["nope"], "no system nope"), (["good", "--measure", "X"], "no X")]
)
def test_unknown_names_get_one_line(script, results, monkeypatch, capsys, arguments, says):
    monkeypatch.setattr(sys, "argv", ["against.py", str(results[0]), "--measure=NDCG@10", *arguments])
    with pytest.raises(SystemExit) as stop:
        script.main()
    assert stop.value.code == 2
    assert says in capsys.readouterr().err
