from __future__ import annotations

import pytest
import yaml
from helpers import ROOT

from recbole_popaware.errors import UsageError
from recbole_popaware.experiments.plan import FOLDER, RawSource, find_plan, read_plan

SHIPPED = sorted([*FOLDER.glob("*.yaml"), *(ROOT / "benchmarks" / "experiments").glob("*.yaml")])
OF_THE_PAPER = [
    file for file in SHIPPED if not file.stem.startswith(("backbones-", "competitors-", "yambda-"))
]
PAPER = [
    *("MostPop", "PersonalizedMostPop", "BERT4Rec", "PopBERT4Rec"),
    *("SASRec", "PopSASRec", "gSASRec", "PopGSASRec"),
]

SYSTEMS = [{"name": "A", "model": "PopSASRec"}, {"name": "B", "model": "PopSASRec", "base": "A"}]


def write(folder, **content):
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump({"dataset": "toy", "systems": SYSTEMS, **content}))
    return file


def test_a_plan_says_what_the_file_says(tmp_path):
    raw = {"get": "x.tsv from y", "source": "table", "options": ["--sample-items", 30]}
    plan = read_plan(write(tmp_path, settings={"epochs": 3}, raw=raw))
    assert (plan.name, plan.dataset, plan.settings) == ("mine", "toy", {"epochs": 3})
    assert plan.raw == RawSource("x.tsv from y", "table", ("--sample-items", "30"))
    assert [(s.name, s.model, s.base) for s in plan.systems] == [
        ("A", "PopSASRec", None),
        ("B", "PopSASRec", "A"),
    ]


@pytest.mark.parametrize("file", OF_THE_PAPER, ids=lambda file: file.stem)
def test_every_shipped_experiment_has_the_paper_s_systems(file):
    plan = read_plan(file)
    assert [system.name for system in plan.systems if system.name in PAPER] == PAPER
    bases = {system.name: system.base for system in plan.systems if system.base and system.name in PAPER}
    assert bases == {"PopBERT4Rec": "BERT4Rec", "PopSASRec": "SASRec", "PopGSASRec": "gSASRec"}
    assert plan.settings["metrics"][0] == "GradedNDCG"
    assert plan.settings["topk"] == [5, 10, 40, 100]
    assert plan.dataset == "demo" or plan.raw is not None


def test_the_experiment_on_yambda_has_published_rows_beside_it():
    plan = read_plan(FOLDER / "yambda-50m.yaml")
    assert {"MostPop", "DecayPop", "PersonalizedMostPop", "ItemKNN", "PopSASRec"} <= {
        s.name for s in plan.systems
    }
    assert plan.published is not None
    assert plan.published.rows["ItemKNN"] == {"YambdaNDCG@10": 0.0781, "YambdaNDCG@100": 0.0934}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"published": {"rows": {}}}, "lacks the key [source]"),
        ({"published": {"source": "x", "rows": {"A": 0.1}}}, "of the form `system: {measure: value}`"),
        ({"published": {"source": "x", "rows": {"A": {"NDCG@10": "much"}}}}, "[much], but must be a number"),
        ({"systems": None}, "lacks the key [systems]"),
        ({"systems": []}, "at least one system"),
        ({"systems": [{"name": "A"}]}, "lacks the key [model]"),
        ({"systems": ["A"]}, "system 1 must have keys"),
        ({"systems": [*SYSTEMS, {"name": "a", "model": "X"}]}, "two systems are named [A]"),
        ({"systems": [{"name": "A", "model": "X", "base": "B"}]}, "base [B] of [A]"),
        ({"systems": [{"name": "A", "model": "X", "base": "A"}]}, "base [A] of [A]"),
        ({"systems": [{"name": "../A", "model": "X"}]}, "name is [../A]"),
        ({"systems": [{"name": "A", "model": "X", "setings": {}}]}, "did you mean settings?"),
        ({"setting": {}}, "unknown key [setting]"),
        ({"settings": [1]}, "property: value"),
        ({"settings": {"model": "X"}}, "model does not belong"),
        ({"raw": {"get": "x"}}, "raw lacks the key [source]"),
        ({"raw": {"get": "x", "source": "table", "options": "--a b"}}, "list of arguments"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, changed, message):
    with pytest.raises(UsageError) as mistake:
        read_plan(write(tmp_path, **changed))
    assert message in str(mistake.value)


@pytest.mark.parametrize("text", ["systems: [", "just words", "", "a: b: c", "\x00"])
def test_what_is_no_experiment_is_refused(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(UsageError, match="experiment file"):
        read_plan(tmp_path / "bad.yaml")


def test_plans_are_found_by_path_and_by_name(tmp_path):
    assert find_plan(str(write(tmp_path))) == tmp_path / "mine.yaml"
    assert find_plan("demo") == FOLDER / "demo.yaml"
    with pytest.raises(UsageError, match="demo, lastfm-1k, yambda-50m, yandex-music"):
        find_plan("gone")


def test_systems_are_picked_by_name_in_the_plan_s_order(tmp_path):
    plan = read_plan(write(tmp_path))
    assert [system.name for system in plan.pick(["B", "A"])] == ["A", "B"]
    assert [system.name for system in plan.pick([])] == ["A", "B"]
    with pytest.raises(UsageError, match=r"\[C\] is not in"):
        plan.pick(["C"])
