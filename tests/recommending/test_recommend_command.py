from __future__ import annotations

import os
import subprocess
import sys

import pandas as pd
import pytest
from helpers import GTS, ROOT, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.recommending import writer
from recbole_popaware.recommending.__main__ import main

PLAYS = looping_plays(n_items=40)


@pytest.fixture
def file(toy, tmp_path):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    return save("PopSASRec", toy, eval_args=GTS)


def fields(line):
    return line.split()


def test_few_users_are_printed(file, tmp_path, capsys):
    (tmp_path / "users.txt").write_text("u3\nnobody\n")
    assert main(["--checkpoint", file, "--users", "users.txt", "--topk=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = recbole_popaware.recommend(file, ["u3"], topk=2)
    assert fields(lines[0]) == list(expected.columns)
    assert fields(lines[2])[:4] == ["u3", "1", expected.item_id[0], f"{expected.score[0]:.4f}"]
    assert fields(lines[4])[4:] == ["-", "-", "0", "popular"]
    assert lines[-1].startswith("2 users, 1 of them not known")


def test_many_users_go_to_a_file(toy, tmp_path, capsys):
    write_atomic(tmp_path / "data", "toy", looping_plays(n_users=21))
    file = save("PersonalizedMostPop", toy)
    assert main(["--checkpoint", file, "--topk=3"]) == 0
    assert capsys.readouterr().out == "21 users\nwritten to recommendations.parquet\n"
    actual = pd.read_parquet("recommendations.parquet")
    pd.testing.assert_frame_equal(actual, recbole_popaware.recommend(file, topk=3))


def test_all_options_together_in_a_process_of_its_own(file, toy, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    (tmp_path / "users.csv").write_text("user_id\nu1\nx\n")
    (tmp_path / "titles.csv").write_text("item_id,words\n" + "".join(f"i{n},Song {n}\n" for n in range(40)))
    argv = ["--users=users.csv", "--topk=4", "--output=lists.jsonl", "--popularity-weight=0.5"]
    argv += ["--explore-share=0.3", "--history=moved/toy/toy.inter", "--item-file=titles.csv"]
    argv += ["--title-column=words", "--data-path=moved", "--device=cpu", "--batch-size=1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "recbole_popaware.recommend", "--checkpoint", file, *argv]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "written to lists.jsonl"), done.stderr
    actual = pd.read_json("lists.jsonl", lines=True)
    assert actual.user_id.tolist() == ["u1"] * 4 + ["x"] * 4
    assert (actual.title == "Song " + actual.item_id.str[1:]).all()
    assert (actual.kind[:4] == "explore").sum() >= 2
    assert sorted(f.name for f in tmp_path.iterdir() if f.name[0] in ".l") == [
        "lists.jsonl",
        "log_tensorboard",
    ]


@pytest.mark.parametrize(("argv", "factor"), [(["--calibrated"], True), (["--calibrated", "0.2"], 0.2)])
def test_calibrated_lists_from_the_command_are_those_of_the_function(file, argv, factor, capsys):
    assert main(["--checkpoint", file, *argv, "--topk=5", "--output=lists.parquet"]) == 0
    expected = recbole_popaware.recommend(file, topk=5, calibrated=factor)
    pd.testing.assert_frame_equal(pd.read_parquet("lists.parquet"), expected)
    assert expected.kind.tolist() != recbole_popaware.recommend(file, topk=5).kind.tolist()


def test_explain_tells_where_scores_come_from(file, capsys):
    assert main(["--checkpoint", file, "--explain=u3", "--topk=20", "--popularity-weight=2"]) == 0
    out = capsys.readouterr().out
    plays = [item for user, item, _ in PLAYS if user == "u3"]
    assert out.startswith(f"u3: 16 plays of {len(set(plays))} items")
    rows = [fields(line) for line in out.splitlines() if "repeat" in line or "explore" in line]
    assert len(rows) == 20
    for *_, network, head, score in rows:
        assert float(network) + float(head) == pytest.approx(float(score), abs=2e-4)
    unplayed = out.split("the head gives ")[1].split()[0]
    assert {row[-2] for row in rows if row[2] == "explore"} <= {unplayed}
    assert "head (times 2)" in out


def test_explain_without_a_head_or_plays(toy, tmp_path, capsys):
    plays = [(*play, -1 if play[0] == "u3" else 1) for play in looping_plays()]
    write_atomic(tmp_path / "data", "toy", plays)
    file = save("MostPop", toy, eval_args=GTS)
    assert main(["--checkpoint", file, "--explain=u2"]) == 0
    assert "no popularity head" in capsys.readouterr().out
    assert main(["--checkpoint", file, "--explain=u3"]) == 0
    assert "u3 has no plays" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--checkpoint=gone.pth"], "gone.pth is not there"),
        (["--checkpoint=pickled.pth"], "pickled"),
        (["--explain=zoe"], "[zoe] is not in the data"),
        (["--explain=u1", "--output=a.csv"], "leave out"),
        (["--topk=0"], "at least 1"),
        (["--topk=41"], "but the catalogue has"),
        (["--topk=many"], "--topk"),
        (["--explore-share=1.5"], "between 0 and 1"),
        (["--calibrated=2"], "above 0 and at most 1"),
        (["--calibrated=some"], "--calibrated"),
        (["--calibrated", "--explore-share=0.1"], "an explore_share contradicts them"),
        (["--calibrated", "--exclude-history"], "exclude_history contradicts them"),
        (["--popularity-weight=much"], "--popularity-weight"),
        (["--popularity-weight=nan"], "must be a number"),
        (["--batch-size=0"], "at least 1"),
        (["--device=tpu"], "cpu, cuda"),
        (["--history=gone.inter"], "gone.inter is not there"),
        (["--history=pickled.pth"], "pickled.pth"),
        (["--users=gone.txt"], "gone.txt is not there"),
        (["--item-file=gone.item"], "gone.item is not there"),
        (["--title-column=name"], "item file"),
        (["--output=lists.xls"], ".parquet, .csv, .jsonl"),
        (["--output=gone/lists.csv"], "is not there"),
        (["--data-path=gone"], "toy.inter"),
        (["--unknown"], "--unknown"),
        (["recs"], "recs"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(file, argv, message, tmp_path, capsys):
    import torch

    torch.save({"config": torch.nn.Linear(1, 1)}, "pickled.pth")
    before = {f.name for f in tmp_path.iterdir()}
    argv = argv if argv[0].startswith("--checkpoint") else ["--checkpoint", file, *argv]
    capsys.readouterr()
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not captured.out
    assert {f.name for f in tmp_path.iterdir()} == before


def test_interruption_leaves_nothing(file, tmp_path, monkeypatch, capsys):
    def interrupted(file, schema, tables):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setitem(writer._FORMATS, ".csv", interrupted)
    assert main(["--checkpoint", file, "--output=lists.csv"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not [f for f in tmp_path.iterdir() if "lists" in f.name]


def test_a_python_without_recbole_is_told_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "recbole_popaware.recommending.recommender", None)
    monkeypatch.delattr(recbole_popaware.recommending, "recommender", raising=False)
    assert main(["--checkpoint=any.pth"]) == 2
    assert "README" in capsys.readouterr().err
