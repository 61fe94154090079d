"""General and sequential models side by side: one protocol, or one line that says what differs."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import yaml
from helpers import ROOT, SMALL, looping_plays, write_atomic

from recbole_popaware.errors import UsageError
from recbole_popaware.experiments.__main__ import main
from recbole_popaware.experiments.plan import Plan, System, read_plan
from recbole_popaware.experiments.runs import make_runs
from recbole_popaware.experiments.worker import main as work

GTS = {"split": {"GTS": [0.7, 0.1, 0.2]}}
MEASURES = {"metrics": ["GradedNDCG", "NDCG"], "topk": [5], "valid_metric": "GradedNDCG@5"}


@pytest.fixture
def settings(tmp_path):
    write_atomic(tmp_path / "data", "toy", looping_plays(n_items=40))
    return {**SMALL, "data_path": str(tmp_path / "data"), "eval_args": GTS}


def runs_of(settings, *systems):
    plan = Plan("test", "toy", tuple(System(name, name, more) for name, more in systems), settings)
    return make_runs(plan, {}, seeds=2)


def test_both_families_share_a_protocol_without_a_word(settings):
    runs, protocol = runs_of(settings, ("SASRec", {}), ("EASE", {}), ("BPR", {}))
    assert protocol.eval_args["order"] == "TO"
    assert protocol.main == "NDCG@10"
    assert [run.key for run in runs] == ["SASRec.2020", "SASRec.2021", "EASE.2020", "BPR.2020", "BPR.2021"]


@pytest.mark.parametrize(
    "eval_args", [None, {"split": {"LS": "valid_and_test"}}, {"split": {"RS": [8, 1, 1]}, "order": "TO"}]
)
def test_recbole_s_defaults_for_general_models_are_refused_in_one_line(settings, eval_args):
    settings.pop("eval_args")
    more = {} if eval_args is None else {"eval_args": eval_args}
    with pytest.raises(UsageError, match=r"^system \[BPR\]: RecBole's defaults .* split plays at random"):
        runs_of({**settings, **more}, ("SASRec", {}), ("BPR", {}))


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        ({"mask_history": True}, "mask_history, False and True"),
        ({"targets": "next"}, "targets, all and next"),
        ({"protocol": "paper"}, "protocol, corrected and paper"),
        ({"kept_users": "eligible"}, "kept_users, any and eligible"),
        ({"topk": [10, 20]}, r"topk, \(10,\) and \(10, 20\)"),
        ({"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO"}}, "eval_args, .*GTS.* and .*LS"),
    ],
)
def test_a_difference_is_named_with_both_values(settings, more, difference):
    with pytest.raises(UsageError, match=rf"\[SASRec\] and \[BPR\] differ in {difference}"):
        runs_of(settings, ("SASRec", {}), ("BPR", more))


@pytest.mark.parametrize("name", ["competitors-foursquare", "competitors-lastfm-plays"])
def test_the_competitors_of_the_benchmarks_share_a_protocol(name):
    plan = read_plan(ROOT / "benchmarks" / "experiments" / f"{name}.yaml")
    runs, protocol = make_runs(plan, {"mask_history": True}, seeds=1)
    assert protocol.rules["mask_history"]
    assert {run.system.model for run in runs} >= {"TIFUKNN", "EASE", "BPR", "RepeatNet", "PopGRU4Rec"}


def test_a_pretraining_is_no_system(settings):
    with pytest.raises(UsageError, match=r"\[RaCT\]: .*\[actor_pretrain\] ends without a validation"):
        runs_of(settings, ("RaCT", {}))


def test_a_run_describes_the_same_users_in_both_families(settings, tmp_path, monkeypatch):
    users = {}
    for model in ("PersonalizedMostPop", "EASE"):
        folder = tmp_path / model
        folder.mkdir()
        run = {**settings, **MEASURES, "save_per_user": True}
        job = {"model": model, "dataset": "toy", "settings": run, "fingerprint": "x"}
        (folder / "job.json").write_text(json.dumps(job))
        monkeypatch.chdir(folder)
        assert work(folder) == 0
        users[model] = pd.read_parquet("users.parquet")
        result = json.loads((folder / "result.json").read_text())
        assert result["parameters"] == 0
        assert len(pd.read_parquet("recommendations.parquet")) == 34 * len(users[model])
    pd.testing.assert_frame_equal(*users.values())


@pytest.mark.slow
def test_an_experiment_runs_both_families(settings, tmp_path):
    systems = [{"name": name, "model": name} for name in ("PersonalizedMostPop", "EASE")]
    file = tmp_path / "both.yaml"
    shared = {name: settings[name] for name in ("data_path", "eval_args", "eval_batch_size")}
    plan = {"dataset": "toy", "settings": {**shared, **MEASURES}, "systems": systems}
    file.write_text(yaml.safe_dump(plan))
    assert main([str(file), "--output", str(tmp_path / "out")]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    (counts,), (ease,) = (system["runs"] for system in results["systems"])
    assert counts["data"]["test_rows"] == ease["data"]["test_rows"]
    assert ease["parameters"] == 0
    assert ease["test_result"].keys() == counts["test_result"].keys()
    assert "ended at the limit" not in (tmp_path / "out" / "report.html").read_text()
