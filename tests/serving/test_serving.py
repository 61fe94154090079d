"""What a folder of an export serves: the lists of the checkpoint, for users who are brought up to date."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from helpers import GTS, ROOT, looping_plays, save, write_atomic
from hypothesis import given
from hypothesis import strategies as st

import recbole_popaware
from recbole_popaware.errors import UsageError
from recbole_popaware.export import export, main
from recbole_popaware.plays.exponentials import Exponentials
from recbole_popaware.serving import Session
from recbole_popaware.serving.listener import Head, Listener

for package in ("onnx", "onnxruntime", "safetensors"):
    pytest.importorskip(package, reason=f"serving needs {package}: pip install recbole_popaware[serving]")

PLAYS = looping_plays(n_users=9, n_items=40)
MODELS = [
    ("PopSASRec", {}),
    ("PopSASRec", {"pps_history": "full", "pps_decay": 0.4, "pps_offset": 2}),
    ("PopGSASRec", {"pps_history": 6, "pps_decay": 0.5}),
    ("PopGSASRec", {"pps_history": "full", "pps_learn": ["alpha", "eps", "d", "c", "b"]}),
    ("PopBERT4Rec", {"pps_history": "full", "pps_decay": 0.7, "pps_age": "hours"}),
    ("PopBERT4Rec", {"popularity_head": "none", "network_weights": [1, 2]}),
]


def of_user(user):
    return [(item, moment) for name, item, moment in PLAYS if name == user]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_atomic(folder / "data", "toy", PLAYS)
    settings = {"data_path": str(folder / "data"), "dataset": "toy", "checkpoint_dir": str(folder)}
    from helpers import SMALL

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["pytest"])
        return save("PopSASRec", {**SMALL, **settings}, eval_args=GTS)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    target = tmp_path_factory.mktemp("served") / "model"
    export(checkpoint, target, measures=False)
    return target


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize(("model", "settings"), MODELS)
def test_a_session_makes_the_lists_of_the_checkpoint(toy, tmp_path, model, settings):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    file = save(model, toy, **settings)
    export(file, "model", measures=False)
    session, users = Session.load("model"), [f"u{n}" for n in range(9)]
    for user in users:
        plays = of_user(user)
        session.update(user, plays[:5])  # bit by bit
        for play in plays[5:]:
            session.update(user, [play])
    options = [{}, {"explore_share": 0.4}, {"exclude_history": True}]
    if settings.get("popularity_head") != "none":
        options.append({"popularity_weight": 0.5})
    for chosen in options:
        expected = recbole_popaware.recommend(file, users, topk=8, **chosen)
        for histories in (users, [of_user(user) for user in users]):
            lists = session.recommend(histories, 8, **chosen)
            actual = pd.DataFrame([row for rows in lists for row in rows])
            assert actual.item_id.tolist() == expected.item_id.tolist()
            assert actual.plays.tolist() == expected.plays.tolist()
            assert actual.kind.tolist() == expected.kind.tolist()
            for column in ("score", "model_score"):
                np.testing.assert_allclose(actual[column], expected[column], atol=1e-4)
            if settings.get("popularity_head") != "none":
                np.testing.assert_allclose(actual.popularity_score, expected.popularity_score, atol=1e-4)


def test_users_without_plays_get_the_popular_items(checkpoint, folder):
    session = Session.load(folder)
    expected = recbole_popaware.recommend(checkpoint, ["nobody"], topk=5)
    for history in ("nobody", [], [("unknown", 1)]):
        (rows,) = session.recommend([history], 5)
        assert [row.item_id for row in rows] == expected.item_id.tolist()
        assert [row.score for row in rows] == expected.score.tolist()
        assert {row.kind for row in rows} == {"popular"}
    assert session.recommend([]) == []


def test_serving_needs_neither_recbole_nor_pytorch(folder):
    code = (
        "import sys; from recbole_popaware.serving import Session; s = Session.load(sys.argv[1]); "
        "print(len(s.recommend([[('i1', 1.0)]], 3)[0]), 'recbole' in sys.modules, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(folder)]
    paths = [str(ROOT), *(path for path in sys.path if path)]
    environment = {"PYTHONPATH": ":".join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == "3 False False\n", done.stderr


def test_plays_that_cannot_be_are_left_out_and_counted(folder, caplog):
    session = Session.load(folder)
    session.update("u", [("i1", 100.0), ("i2", 300.0), ("what", 200.0)])
    assert caplog.messages[-1].startswith("1 plays of u are left out")
    session.update("u", [("i3", 200.0), ("i3", time.time() + 1e6), ("i3", float("nan")), ("i4", 300.0)])
    assert caplog.messages[-1].startswith("3 plays of u are left out")
    items = {row.item_id for row in session.recommend(["u"], 31)[0] if row.plays}
    assert items == {"i1", "i2", "i4"}
    session.forget("u")
    assert session.recommend(["u"], 1)[0][0].kind == "popular"


def test_a_giant_history_takes_what_a_small_one_does(folder):
    session = Session.load(folder)
    (rows,) = session.recommend([[(f"i{n % 39}", float(n)) for n in range(100_000)]], 31)
    assert sum(row.plays for row in rows) > 50_000


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1e7)), min_size=1, max_size=40),
    st.sampled_from([0.0, 0.2, 0.5, 1.0]),
    st.sampled_from([0.0, 3.0, 20.0]),
    st.booleans(),
)
def test_sums_of_exponentials_are_the_faded_counts(plays, decay, offset, hours):
    plays = sorted(plays, key=lambda play: play[1])
    fading = Exponentials.of_power_law(decay, offset)
    assert fading.error < 1e-3
    scale = np.array([1, 0.01, decay, offset, 0])
    counted = Head("sigmoid", None, hours, scale, fading.rates, fading.weights, 9)
    listener = Listener(4, counted)
    for item, moment in plays:
        listener.add(item, moment)
    head, unplayed = listener.scores()
    items, scores = list(head), list(head.values())
    moments = np.array([moment for _, moment in plays])
    ages = 1 + (moments[-1] - moments) / 3600 if hours else len(plays) - np.arange(len(plays))
    weights = ((ages + offset) / (1 + offset)) ** -decay
    strength = np.array([weights[[item == i for i, _ in plays]].sum() for item in items])
    expected = np.log(strength + 0.01) - np.log(weights.sum() - strength + 0.01 * 8)
    np.testing.assert_allclose(scores, expected, atol=0.05 if len(set(items)) == 1 else 5e-3)
    np.testing.assert_allclose(unplayed, np.log(0.01) - np.log(weights.sum() + 0.08), atol=1e-3)


@pytest.mark.parametrize("name", ["manifest.json", "items.txt", "model.safetensors", "network.onnx"])
@pytest.mark.parametrize("change", ["gone", "empty", "cut", "bit"])
def test_a_damaged_folder_gets_one_line(copy, name, change):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    new = {"gone": None, "empty": b"", "cut": bytes(content[:-3]), "bit": bytes(content)}[change]
    if name == "manifest.json" and change == "bit":
        new = b"[]"
    (copy / name).unlink()
    if new is not None:
        (copy / name).write_bytes(new)
    with pytest.raises(UsageError, match="damaged") as caught:
        Session.load(copy)
    assert "\n" not in str(caught.value)


def test_a_manifest_of_another_version_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(UsageError, match="format 99, but this version reads 1; export again"):
        Session.load(copy)


def test_the_manifest_says_what_the_model_is(checkpoint, tmp_path):
    export(checkpoint, tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert manifest["model"] == "PopSASRec"
    assert 0 <= manifest["measures"]["ndcg@10"] <= 1
    assert manifest["properties"]["hidden_size"] == 8
    assert set(manifest["files"]) == {"items.txt", "model.safetensors", "network.onnx"}
    assert str(tmp_path) not in json.dumps(manifest)
    assert "data_path" not in manifest["properties"]
    assert manifest["versions"]["recbole_popaware"] == recbole_popaware.__version__


def test_what_cannot_be_exported(checkpoint, toy, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    pop_only = save("PopOnly", toy, eval_args=GTS)
    countnet = save("PopSASRec", toy, output="countnet")
    for argv, message in [
        ([checkpoint, "there"], "is there already"),
        (["gone.pth", "new"], "gone.pth is not there"),
        ([pop_only, "new"], "cannot be exported; PopSASRec, PopBERT4Rec and PopGSASRec can"),
        ([countnet, "new"], "cannot be exported"),
        ([checkpoint, "new", "--data-path=gone"], "--no-measures does without"),
        ([checkpoint], "folder"),
    ]:
        assert main([str(word) for word in argv]) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert message in printed
    assert not (tmp_path / "new").exists()
    assert not [f for f in tmp_path.iterdir() if f.name.startswith("tmp")]


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"k": 41}, {"explore_share": 2}, {"popularity_weight": float("nan")}]
)
def test_values_out_of_range(folder, options):
    with pytest.raises(UsageError, match="must be"):
        Session.load(folder).recommend([[("i1", 1.0)]], **{"k": 3, **options})
