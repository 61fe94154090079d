"""Experiments with models that are made on demand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from helpers import GTS, ROOT

from recbole_popaware.experiments.__main__ import main
from recbole_popaware.experiments.plan import read_plan
from recbole_popaware.experiments.runs import make_runs
from recbole_popaware.model.on_demand import BACKBONES

SYSTEMS = [
    {"name": "GRU4Rec", "model": "GRU4Rec"},
    {"name": "None", "model": "PopGRU4Rec", "settings": {"popularity_head": "none"}},
    {"name": "PopGRU4Rec", "model": "PopGRU4Rec", "base": "GRU4Rec", "settings": {"pps_history": "full"}},
]


@pytest.mark.slow
def test_an_experiment_compares_a_backbone_with_and_without_the_head(toy, tmp_path):
    shared = {**toy, "eval_args": GTS, "metrics": ["NDCG"], "valid_metric": "NDCG@10", "embedding_size": 8}
    dataset = shared.pop("dataset")
    del shared["inner_size"], shared["n_heads"], shared["n_layers"]  # of Transformers
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump({"dataset": dataset, "settings": shared, "systems": SYSTEMS}))
    assert main([str(file), "--output", str(tmp_path / "out")]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    tested = {system["name"]: system["runs"][0]["test_result"] for system in results["systems"]}
    assert tested["GRU4Rec"] == tested["None"] != tested["PopGRU4Rec"]


@pytest.mark.parametrize("name", ["backbones-foursquare", "backbones-lastfm-plays"])
def test_the_benchmark_gives_both_variants_of_each_backbone_the_same_time(name):
    plan = read_plan(Path(ROOT, "benchmarks", "experiments", f"{name}.yaml"))
    runs, protocol = make_runs(plan, {}, seeds=1)
    assert protocol.main == "GradedNDCG@10"
    of_system = {run.system.name: run for run in runs}
    with_head = {system for system in of_system if system in BACKBONES}
    assert len(with_head) >= 15
    assert of_system["PopSASRec"].system.base == of_system["SASRec"].system.name
    for system in with_head:
        stock = of_system[BACKBONES[system].name]
        assert of_system[system].system.base == stock.system.name
        for run in (of_system[system], stock):
            assert run.effective["training_seconds"] == plan.settings["training_seconds"] > 0
        shared = stock.effective.keys() - {"model"}
        assert {n: stock.effective[n] for n in shared} == {n: of_system[system].effective[n] for n in shared}
