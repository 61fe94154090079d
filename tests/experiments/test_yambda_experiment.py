"""The experiment on Yambda from a raw file, here a simulated one, to its report."""

from __future__ import annotations

import pytest
from helpers import ROOT

from recbole_popaware.experiments.api import experiment
from recbole_popaware.experiments.plan import FOLDER, read_plan

LISTENS = ROOT / "tests" / "golden" / "yambda" / "listens.parquet"


@pytest.mark.slow
def test_the_experiment_runs_from_the_raw_file(tmp_path):
    small = {"epochs": 1, "MAX_ITEM_LIST_LENGTH": 8, "hidden_size": 8, "inner_size": 16, "epoch_batches": 4}
    results = experiment(
        "yambda-50m", raw=LISTENS, output=tmp_path / "out", data_path=str(tmp_path / "atomic"), **small
    )
    assert not results.failures
    systems = [system.name for system in read_plan(FOLDER / "yambda-50m.yaml").systems]
    assert [result.name for result in results.systems] == systems
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| ItemKNN (published) | 0.0781 | - | 0.0934 |" in table
    assert "YambdaCoverage@100" in table
    assert "last epoch, main measure YambdaNDCG@10" in table
    assert {"repeat_explore_map.png", "accuracy_by_time.png"} <= {
        file.name for file in (tmp_path / "out" / "plots").iterdir()
    }
