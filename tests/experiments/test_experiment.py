"""The command ``recbole-popaware-experiment`` on a toy: real runs in processes of their own."""

from __future__ import annotations

import base64
import contextlib
import inspect
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers import SMALL, looping_plays, write_atomic

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.experiments.__main__ import main
from recbole_popaware.experiments.api import experiment
from recbole_popaware.experiments.lists import describe_users, recommendations
from recbole_popaware.experiments.plan import Plan, System, find_plan, read_plan
from recbole_popaware.experiments.runs import make_runs
from recbole_popaware.experiments.source import converter_arguments, ensure_data
from recbole_popaware.quick_start import train
from recbole_popaware.utils import MODELS

SETTINGS = {
    **SMALL,
    "eval_args": {"split": {"GTS": [0.7, 0.1, 0.2]}, "order": "TO", "mode": "full"},
    "metrics": ["GradedNDCG", "RepeatRecall", "ExploreRecall", "RepeatBias"],
    "topk": [2, 5],
    "valid_metric": "GradedNDCG@5",
    "epochs": 2,
}
SYSTEMS = [
    {"name": "Counts", "model": "PersonalizedMostPop"},
    {"name": "Plain", "model": "PopSASRec", "settings": {"popularity_head": "none"}},
    {"name": "Pop", "model": "PopSASRec", "base": "Plain"},
    {"name": "Broken", "model": "PopSASRec", "settings": {"window_fields": ["gone"]}},
]


UNIFORM = {
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni5"},
    "metrics": ["NDCG"],
    "valid_metric": "NDCG@5",
}


OTHER = {"protocol": "paper", "eval_args": SETTINGS["eval_args"]}


def write_plan(folder, **changed):
    plan = {
        "dataset": "toy",
        "settings": {**SETTINGS, "data_path": str(folder / "data")},
        "systems": SYSTEMS,
        **changed,
    }
    file = folder / "toy.yaml"
    file.write_text(yaml.safe_dump(plan))
    return file


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """An experiment that has run: its folder, exit code and standard error."""
    folder = tmp_path_factory.mktemp("experiment")
    write_atomic(folder / "data", "toy", looping_plays())
    arguments = [write_plan(folder, settings={**SETTINGS, "data_path": str(folder / "data"), "epochs": 9})]
    arguments += ["--output", folder / "out", "--jobs", "2", "--epochs=2"]
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        code = main([*map(str, arguments)])
    return folder, code, errors.getvalue()


@pytest.fixture
def results(done):
    return json.loads((done[0] / "out" / "results.json").read_text())


def test_a_failing_system_is_reported_at_the_end(done, results):
    folder, code, errors = done
    assert code == 1
    assert errors.startswith("failed: Broken.2020: window_fields are ['gone']")
    assert errors.count("\n") == 1
    assert [failure["run"] for failure in results["failures"]] == ["Broken.2020"]
    assert "error: " in (folder / "out" / "logs" / "Broken.2020.log").read_text()


def test_nothing_half_written_is_left(done):
    assert not list((done[0] / "out").rglob("*.part"))


def test_results_hold_every_run_with_its_settings(results):
    runs = {system["name"]: system["runs"] for system in results["systems"]}
    assert {name: [run["seed"] for run in of_system] for name, of_system in runs.items()} == {
        "Counts": [2020],
        "Plain": [2020],
        "Pop": [2020],
    }
    assert results["settings"]["epochs"] == 9
    assert results["overrides"] == {"epochs": "2"}
    assert {run["settings"]["epochs"] for of_system in runs.values() for run in of_system} == {2}
    assert {"recbole", "torch", "recbole_popaware", "python"} <= set(results["versions"])
    for run in runs["Pop"]:
        assert [point["epoch"] for point in run["curve"]] == [1, 2]
        assert run["epochs"] == 2
        assert run["evaluation_seconds"] > 0


def test_per_user_values_average_to_the_results(done, results):
    values = pd.read_parquet(done[0] / "out" / "per_user.parquet")
    assert list(values.columns) == ["system", "seed", "user", "metric", "value"]
    means = values.groupby(["system", "seed", "metric"])["value"].mean()
    for system in results["systems"]:
        for run in system["runs"]:
            for metric, value in run["test_result"].items():
                assert means[system["name"], run["seed"], metric] == pytest.approx(value)


def test_recommendations_are_lists_of_the_whole_catalogue(done, results):
    n_items = results["systems"][0]["runs"][0]["data"]["items"]
    lists = pd.read_parquet(done[0] / "out" / "recommendations.parquet")
    assert set(lists["system"]) == {"Counts", "Plain", "Pop"}
    for _, ranked in lists.groupby(["system", "user_id"]):
        assert ranked["rank"].tolist() == list(range(1, n_items + 1))
        assert ranked["score"].is_monotonic_decreasing
        assert ranked["item_id"].nunique() == n_items
    assert lists["item_id"].str.startswith("i").all()


def test_each_base_is_compared_with_its_variant_and_counts_with_the_best(done, results):
    pairs = [(comparison["first"], comparison["second"]) for comparison in results["significance"]]
    assert pairs[0] == ("Plain", "Pop")
    assert pairs[1][0] == "Counts"
    text = (done[0] / "out" / "significance.md").read_text()
    assert "## Plain → Pop" in text
    measures = [test["measure"] for test in results["significance"][0]["tests"]]
    assert measures == [f"{m}@{k}" for m in ("GradedNDCG", "RepeatRecall", "ExploreRecall") for k in (2, 5)]


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.linked = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "img":
            self.images.append(values)
        self.linked += [values[key] for key in ("src", "href") if key in values]


def test_the_report_holds_every_system_and_all_pictures(done):
    text = (done[0] / "out" / "report.html").read_text()
    page = Page(text)
    for name in ("Counts", "Plain", "Pop"):
        assert len(re.findall(rf"\b{name}\b", text)) > 5
    plots = sorted(file.read_bytes() for file in (done[0] / "out" / "plots").glob("*.png"))
    names = {file.stem for file in (done[0] / "out" / "plots").glob("*.png")}
    assert names == {
        *("accuracy", "over_k", "repeat_explore", "repeat_explore_map", "repeat_bias"),
        *("curves", "accuracy_by_time", "gain_by_repeats", "gain_by_length"),
    }
    shown = sorted(base64.b64decode(image["src"].partition("base64,")[2]) for image in page.images)
    assert shown == plots
    assert all(image["alt"] for image in page.images)
    assert all(link.startswith("data:") for link in page.linked)  # one file, nothing from elsewhere
    assert "Broken.2020" in text


def test_resume_keeps_finished_runs_and_only_reports(done, capsys, monkeypatch):
    folder = done[0]
    marks = {run: run.stat().st_mtime_ns for run in (folder / "out" / "runs").iterdir()}
    arguments = [str(folder / "toy.yaml"), "--output", str(folder / "out"), "--resume", "--epochs=2"]
    monkeypatch.setattr("recbole_popaware.experiments.scheduler.WORKER", ("-c", "raise SystemExit(5)"))
    assert main([*arguments, "--only", "Counts", "Plain", "Pop"]) == 0
    assert "GradedNDCG@5" in capsys.readouterr().out
    assert {run: run.stat().st_mtime_ns for run in (folder / "out" / "runs").iterdir()} == marks
    assert main([*arguments, "--only", "Broken"]) == 1
    assert "exit code 5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "arguments", "message"),
    [
        ({"systems": [{"name": "A", "model": "SASRek"}]}, [], "system [A]: model [SASRek] is not known"),
        ({"settings": {"epoch": 3}}, [], "property [epoch] is not known"),
        ({"settings": {"epochs": -3}}, [], "epochs is [-3]"),
        ({"systems": [{"name": "A", "model": "MostPop", "settings": {"pps_epsilon": 1}}]}, [], "pps_epsilon"),
        ({"systems": [SYSTEMS[0], {**SYSTEMS[1], "settings": {"topk": [3, 5]}}]}, [], "share"),
        ({"settings": UNIFORM}, [], "say mode: full"),
        ({}, ["--only", "Plane"], "did you mean Plain?"),
        ({}, ["--epoch=3"], "did you mean epochs?"),
        ({}, ["--dataset=x"], "the experiment file says it"),
        ({"systems": [*SYSTEMS, {"name": "B", "model": "MostPop", "settings": OTHER}]}, [], "protocol"),
        ({}, ["--file=x"], "property [file] is not known"),
        ({}, ["--seeds", "0"], "[0] must be a whole number"),
        ({}, ["--seeds", "many"], "[many] must be a whole number"),
        ({}, ["epochs=3"], "[epochs=3] is not understood"),
        ({"dataset": "gone"}, [], "gone.inter is not there; put it there"),
        ({}, ["--output", "toy.yaml"], "the folder of the results [toy.yaml]"),
        ({"dataset": "gone"}, ["--raw", "x.csv"], "does not say how to convert"),
    ],
)
def test_mistakes_get_one_line_and_code_2(tmp_path, changed, arguments, message, capsys):
    write_atomic(tmp_path / "data", "toy", looping_plays())
    settings = {**SETTINGS, "data_path": str(tmp_path / "data"), **changed.pop("settings", {})}
    file = write_plan(tmp_path, settings=settings, **changed)
    assert main([str(file), "--output", str(tmp_path / "out"), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not captured.out
    assert not (tmp_path / "out").exists()


def test_missing_data_are_named_with_the_command_that_makes_them(tmp_path, capsys):
    raw = {"get": "plays.csv from my shelf", "source": "table", "options": ["--user", "who"]}
    file = write_plan(tmp_path, raw=raw)
    assert main([str(file)]) == 2
    message = capsys.readouterr().err
    assert "get plays.csv from my shelf, then run: python -m dataset_converters table RAW data" in message
    assert "--name toy --user who" in message
    assert main([str(file), "--raw", "nowhere.csv"]) == 2
    assert "raw file nowhere.csv is not there" in capsys.readouterr().err


def test_the_raw_file_is_converted_on_the_way(tmp_path):
    lines = ["user,item,time", *(",".join(map(str, play)) for play in looping_plays())]
    (tmp_path / "plays.csv").write_text("\n".join(lines) + "\n")
    columns = ["--user", "user", "--item", "item", "--time", "time"]
    raw = {"get": "plays.csv", "source": "table", "options": columns}
    plan, inter = read_plan(write_plan(tmp_path, raw=raw)), tmp_path / "data" / "toy" / "toy.inter"
    ensure_data(plan, inter, Path("plays.csv"))
    assert len(inter.read_text().splitlines()) == len(lines)
    ensure_data(plan, inter, Path("gone.csv"))  # nothing to do
    inter.unlink()
    raw["options"] = ["--user", "nobody"]
    with pytest.raises(UsageError, match=r"the converter failed \(exit code 2\)"):
        ensure_data(read_plan(write_plan(tmp_path, raw=raw)), inter, Path("plays.csv"))


@pytest.fixture
def trained(done, monkeypatch):
    """The experiment again from Python: no run starts, as all but the broken one have finished."""
    monkeypatch.setattr("recbole_popaware.experiments.scheduler.WORKER", ("-c", "raise SystemExit(5)"))

    def call(**arguments):
        return experiment(done[0] / "toy.yaml", output=done[0] / "out", resume=True, epochs=2, **arguments)

    return call


def test_one_call_gives_the_results(done, trained):
    results = trained(only=["Counts", "Pop"])
    assert results.means().index.tolist() == ["Counts", "Plain", "Pop"]
    assert list(results.means()) == results.measures()
    assert not results.failures
    assert (results.output / "report.html").is_file()


def test_a_run_that_fails_is_in_the_results(done, trained):
    (failure,) = trained(only="Broken").failures
    assert failure.run.key == "Broken.2020"
    assert failure.reason == "ended with exit code 5"
    assert failure.log.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": 0}, "seeds [0] must be a whole number, at least 1"),
        ({"jobs": "2"}, "jobs [2] must be a whole number, at least 1"),
        ({"model": "MostPop"}, "model cannot be set here"),
        ({"learning_rate": object()}, "of type object; an experiment takes"),
        ({"only": "Plane"}, "did you mean Plain?"),
        ({"epoch": 3}, "did you mean epochs?"),
    ],
)
def test_a_mistake_in_a_call_is_named(trained, arguments, message):
    with pytest.raises(UsageError) as mistake:
        trained(**arguments)
    assert message in str(mistake.value)


def test_help_shows_the_arguments():
    signature = inspect.signature(experiment)
    names = ["file", "output", "only", "seeds", "jobs", "resume", "raw", "properties"]
    assert list(signature.parameters) == names
    assert signature.return_annotation == "Results"


def test_interruption_is_quiet(done, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("recbole_popaware.experiments.api.make_runs", interrupt)
    assert main([str(done[0] / "toy.yaml")]) == 130
    assert "--resume" in capsys.readouterr().err


def test_help_names_the_options(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "--resume" in capsys.readouterr().out


def test_systems_that_learn_nothing_get_one_seed(toy):
    systems = (System("M", "MostPop", {}), System("S", "PopSASRec", {}))
    toy.pop("dataset")
    plan = Plan("p", "toy", systems, {**toy, "seed": 7})
    runs, protocol = make_runs(plan, {"epochs": "3"}, seeds=3)
    assert [run.key for run in runs] == ["M.7", "S.7", "S.8", "S.9"]
    assert {run.effective["epochs"] for run in runs} == {3}
    assert protocol.main == "NDCG@10"
    assert len({run.fingerprint("data") for run in runs}) == 4
    moved = Plan("p", "toy", systems, {**toy, "seed": 7, "checkpoint_dir": "elsewhere"})
    assert make_runs(moved, {"epochs": "3"}, 1)[0][1].fingerprint("d") == runs[1].fingerprint("d")


@pytest.mark.skipif("PopGSASRec" not in MODELS, reason="a model of the paper is not there")
@pytest.mark.parametrize("name", ["demo", "lastfm-1k", "yandex-music"])
def test_shipped_experiments_have_settings_that_work(name):
    runs, protocol = make_runs(read_plan(find_plan(name)), {}, seeds=1)
    assert len(runs) == {"lastfm-1k": 9}.get(name, 8)  # with the BERT4Rec that the program really ran
    assert protocol.main == "GradedNDCG@10"
    heads = {run.system.name: run.effective.get("popularity_head") for run in runs}
    assert heads["SASRec"] == heads["BERT4Rec"] == heads["gSASRec"] == "none"
    assert (
        converter_arguments(read_plan(find_plan("lastfm-1k")), "RAW", protocol.file.parent)[2] == "lastfm1k"
    )


@pytest.mark.slow
def test_the_demo_compares_eight_systems(tmp_path):
    assert main(["demo", "--epochs=1", "--jobs", "2", "--output", str(tmp_path / "out")]) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(results["systems"]) == 8
    assert len(results["significance"]) == 4
    best = max(results["systems"], key=lambda system: system["mean"]["GradedNDCG@10"])
    assert best["name"].startswith(("Pop", "Personalized"))


def test_users_are_described_and_lists_made_from_a_trained_model(toy):
    settings = {key: value for key, value in SETTINGS.items() if key != "epochs"}
    config = Config("PersonalizedMostPop", config_dict={**toy, **settings}, argv=())
    trained = train(config)
    users = describe_users(trained.prepared).set_index("user")
    border = int(0.8 * 12 * 16) // 12  # plays of each user before the test border; all play at the same times
    items = [item for user, item, _ in looping_plays() if user == "u3"][:border]
    assert users.loc["u3", "history_plays"] == border
    assert users.loc["u3", "repeat_share"] == pytest.approx(1 - len(set(items)) / border)
    lists = recommendations(trained, 3)
    first = lists[(lists["user_id"] == "u3") & (lists["rank"] == 1)]["item_id"].item()
    assert items.count(first) == max(map(items.count, items))
