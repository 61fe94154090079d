from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import GTS, ROOT, save
from hypothesis import given
from hypothesis import strategies as st
from recbole.utils.case_study import full_sort_scores, full_sort_topk

import recbole_popaware as rp
from recbole_popaware import recommending
from recbole_popaware.evaluator import metrics
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.tuning.options import Options as TuningOptions

USERS_FILE = """
import recbole_popaware as rp

result = rp.run("PopSASRec", "mylog", data_path="atomic", epochs=20)
ndcg: float = result["test_result"]["ndcg@10"]
config, model, dataset, *parts = rp.load(result["checkpoint"] or "")
lists = rp.recommend("a.pth", ["u1"], topk=5, explore_share=0.3)
best = rp.tune("PopSASRec", space={"n_layers": [1, 2]}).best
score: float | None = best.score
model_class: type = rp.PopSASRec

result["tset_result"]
rp.recommend("a.pth", top_k=5)
rp.tune("PopSASRec", space=3)
best.scores
"""


def test_importing_the_package_is_fast_and_imports_nothing_heavy():
    code = (
        "import sys, recbole_popaware as rp; dir(rp); print({'torch', 'numpy', 'recbole'} & set(sys.modules))"
    )
    command = [sys.executable, "-X", "importtime", "-c", code]
    seconds = []
    for _ in "123":
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout == "set()\n"
        (line,) = (line for line in done.stderr.splitlines() if line.endswith(" recbole_popaware"))
        seconds.append(int(line.split("|")[1]) / 1e6)
    assert min(seconds) < 0.1


def test_every_name_is_there_and_typed():
    source = (ROOT / "recbole_popaware" / "__init__.py").read_text()
    typed = re.findall(r"^    from (\S+) import (\w+) as (\w+)$", source, flags=re.MULTILINE)
    assert {(module, name) for module, name, _ in typed} == {(m, n) for n, m in rp._MODULE_OF.items()}
    assert set(rp.__all__) <= set(dir(rp))
    for module, name, alias in typed:
        assert name == alias
        assert getattr(rp, name) is getattr(import_module(module), name)
    with pytest.raises(AttributeError, match="nothing"):
        rp.nothing  # noqa: B018  # reading it is the test


@pytest.mark.parametrize(
    ("function", "options"), [(rp.recommend, recommending.Options), (rp.tune, TuningOptions)]
)
def test_signatures_name_every_option_with_its_default(function, options):
    parameters = inspect.signature(function).parameters
    for field in fields(options):
        assert parameters[field.name].default == field.default
        assert parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n    {field.name}: " in inspect.getdoc(function)


@pytest.mark.slow
def test_a_user_s_file_is_checked_by_mypy(tmp_path):
    file = tmp_path / "users_file.py"
    file.write_text(USERS_FILE)
    options = ["--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    wrong = USERS_FILE.splitlines().index('result["tset_result"]') + 1
    found = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error: " in line]
    assert found == [wrong, wrong + 1, wrong + 2, wrong + 3], done.stdout


def test_run_does_what_the_command_does_and_reads_no_command_line(toy, tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("topk: [3]\nvalid_metric: NDCG@3\nepochs: 5\n")
    expected = run_recbole_popaware(
        "PopSASRec", config_file_list=["a.yaml"], config_dict={**toy, "epochs": 2}
    )
    monkeypatch.setattr(sys, "argv", ["notebook", "--epochs=7", "-f", "kernel.json"])
    result = rp.run("PopSASRec", config_files=[tmp_path / "a.yaml"], **{**toy, "epochs": 2})
    assert result.keys() == expected.keys() == rp.RunResult.__annotations__.keys()
    assert result["epochs"] == 2
    assert result["test_result"] == expected["test_result"]
    assert set(result["test_result"]) == {"recall@3", "ndcg@3", "mrr@3"}
    assert Path(result["checkpoint"]).is_file()
    assert rp.run(rp.MostPop, **toy, saved=False)["checkpoint"] is None


def test_mistakes_are_one_kind_of_error(toy):
    with pytest.raises(rp.UsageError, match=r"\[PopSAS\] is not known \(did you mean PopSASRec\?\)"):
        rp.run("PopSAS", **toy)
    with pytest.raises(rp.UsageError, match=r"gone\.pth"):
        rp.load("gone.pth")


@pytest.mark.parametrize(
    ("model", "settings"),
    [("PopSASRec", {}), ("PopSASRec", {"eval_args": GTS}), ("PopBERT4Rec", {}), ("GRU4Rec", {})],
)
def test_recbole_s_case_study_runs(toy, model, settings):
    """The lines of RecBole's run_example/case_study_example.py; their lists hit as often as the test says."""
    result = rp.run(model, **{**toy, **settings, "metrics": ["Recall", "Hit"], "valid_metric": "Hit@10"})
    config, model, dataset, _, _, test_data = load_data_and_model(result["checkpoint"])
    names = [f"u{number}" for number in range(12)]
    uid_series = dataset.token2id(dataset.uid_field, names)
    topk_score, topk_iid_list = full_sort_topk(uid_series, model, test_data, k=10, device=config["device"])
    external_item_list = dataset.id2token(dataset.iid_field, topk_iid_list.cpu())
    score = full_sort_scores(uid_series, model, test_data, device=config["device"])
    assert external_item_list.shape == (12, 10)
    assert torch.equal(score.gather(1, topk_iid_list), topk_score)
    lists = dict(zip(uid_series.tolist(), map(set, topk_iid_list.tolist())))
    hit = {
        user
        for rows, _, positive_u, positive_i in test_data
        for user, item in zip(rows[dataset.uid_field][positive_u].tolist(), positive_i.tolist())
        if item in lists[user]
    }
    assert len(hit) / 12 == pytest.approx(result["test_result"]["hit@10"], abs=1e-4)


def test_load_replaces_properties(toy, tmp_path):
    file = save("PopSASRec", toy)
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(rp.UsageError, match=r"toy\.inter"):
        rp.load(file)
    loaded = rp.load(file, data_path=str(tmp_path / "moved"))
    assert loaded == rp.Prepared(*loaded)
    assert loaded.config["dataset"] == "toy"


def test_options_of_lists_one_by_one_or_as_an_object(toy):
    file = save("PopSASRec", toy)
    options = recommending.Options(explore_share=0.3, popularity_weight=2)
    expected = rp.recommend(file, topk=5, options=options)
    found = rp.recommend(file, topk=5, explore_share=0.3, popularity_weight=2)
    pd.testing.assert_frame_equal(found, expected)
    made = rp.Recommender(file, 5, explore_share=0.3, popularity_weight=2)
    pd.testing.assert_frame_equal(made.collect(*made.select("all")).to_pandas(), expected)
    assert len(expected) == 12 * 5
    with pytest.raises(rp.UsageError, match="choose one"):
        rp.recommend(file, options=options, exclude_history=True)


def test_tune_takes_a_space_from_python(toy, tmp_path):
    pytest.importorskip("hyperopt", reason="hyperopt is not installed: pip install .[tune]")
    (tmp_path / "space.hyper").write_text("history_window choice [3, 1, 5]\n")
    files = {name: tmp_path / f"{name}.jsonl" for name in ("file", "python")}
    result = rp.tune("PersonalizedMostPop", space=tmp_path / "space.hyper", output_file=files["file"], **toy)
    again = rp.tune(
        "PersonalizedMostPop", space={"history_window": [3, 1, 5]}, output_file=files["python"], **toy
    )
    assert [trial.params["history_window"] for trial in result.trials] == [3, 1, 5]
    assert result.best in result.trials
    assert [trial.score for trial in result.ranked] == sorted((t.score for t in result.trials), reverse=True)
    assert [trial.checkpoint is None for trial in result.ranked] == [False, True, True]
    assert (result.model, result.dataset, result.measure) == ("PersonalizedMostPop", "toy", "ndcg@10")
    comparable = [[t._replace(seconds=0, checkpoint=None) for t in r.trials] for r in (result, again)]
    assert comparable[0] == comparable[1]
    drawn = rp.tune("MostPop", space={"novelty_epsilon": "uniform 0.1,1"}, algo="random", max_evals=2, **toy)
    assert all(0.1 <= trial.params["novelty_epsilon"] <= 1 for trial in drawn.trials)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "names no property"),
        ({"history_window": []}, "say a list of values"),
        ({"history_window": 3}, r"\[history_window\] is \[3\]: say a list of values"),
        ({"history_window": "uniform 2,1"}, "less than"),
        ({"epochs": [1, 2]}, r"\[epochs\] is given and tuned too"),
        ({"history_windw": [1]}, "did you mean history_window?"),
    ],
)
def test_spaces_that_cannot_be_are_refused(toy, space, message):
    pytest.importorskip("hyperopt", reason="hyperopt is not installed: pip install .[tune]")
    with pytest.raises(rp.UsageError, match=message):
        rp.tune("PersonalizedMostPop", space=space, **toy)


def test_measures_of_hand_made_lists():
    gains, plays = [[1, 0, 2], [0, 0, 0]], [[4, 1, 0], [0, 0, 1]]
    third = 1 / np.log2(4)
    found = rp.graded_ndcg(gains, [[2, 1, 0], [0, 0, 0]])
    np.testing.assert_allclose(
        found[0], [1 / 2, 1 / (2 + third * 0 + 1 / np.log2(3)), (1 + 2 * third) / (2 + 1 / np.log2(3))]
    )
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(rp.repeat_recall(gains, plays, [2, 0]), [[1 / 2] * 3, [np.nan] * 3])
    np.testing.assert_allclose(rp.explore_recall(gains, plays, [1, 1]), [[0, 0, 1], [0, 0, 0]])
    thirds = float(Fraction(2, 3) - Fraction(1, 4)), float(Fraction(1, 3) - Fraction(1, 2))
    bias = rp.repeat_bias(plays, [4, 2], [1, 1])
    np.testing.assert_allclose(bias, [[3 / 4, 3 / 4, thirds[0]], [-1 / 2, -1 / 2, thirds[1]]])


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_measures_are_the_evaluation_s(n_users, length, seed):
    draw = np.random.default_rng(seed)
    targets = draw.integers(0, 4, n_users)
    repeats = draw.integers(0, targets + 1)
    arrays = {
        "rec.gains": draw.integers(0, 3, (n_users, length)),
        "rec.plays": draw.integers(0, 3, (n_users, length)),
        "data.ideal": -np.sort(-draw.integers(0, 3, (n_users, length))),
        "data.targets": targets,
        "data.repeat_targets": repeats,
    }
    collected = {name: torch.from_numpy(array) for name, array in arrays.items()}
    gains, plays = arrays["rec.gains"], arrays["rec.plays"]
    for measure, values in (
        (metrics.GradedNDCG, rp.graded_ndcg(gains, arrays["data.ideal"])),
        (metrics.RepeatRecall, rp.repeat_recall(gains, plays, repeats)),
        (metrics.ExploreRecall, rp.explore_recall(gains > 0, plays, targets - repeats)),
        (metrics.RepeatBias, rp.repeat_bias(plays, targets, repeats)),
    ):
        np.testing.assert_array_equal(values, measure.per_user(object.__new__(measure), collected))
