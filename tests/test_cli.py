from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers import arguments, write_atomic

from recbole_popaware.cli import main, report


def test_a_run_prints_a_table(toy, capsys):
    assert main(["--model=PersonalizedMostPop", *arguments(toy)]) == 0
    out = capsys.readouterr().out
    assert "PersonalizedMostPop on toy" in out
    assert "ndcg@10" in out
    assert "saved/PersonalizedMostPop" in out


def test_names_and_values_may_be_separate_as_in_recbole(toy, capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("topk: [3]\nvalid_metric: NDCG@3\n")
    (tmp_path / "b.yaml").write_text("metrics: [NDCG]\n")
    toy.pop("dataset")
    files = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    assert main(["-m", "MostPop", "-d", "toy", "--config_files", *files, *arguments(toy)]) == 0
    out = capsys.readouterr().out
    assert "ndcg@3" in out
    assert "recall" not in out


def test_files_of_properties_in_one_text_as_in_recbole(toy, capsys, tmp_path):
    (tmp_path / "a.yaml").write_text("topk: [3]\n")
    (tmp_path / "b b.yaml").write_text("topk: [4]\n")
    (tmp_path / "c.yaml").write_text("valid_metric: NDCG@4\nmetrics: [NDCG]\n")
    both = ["--config_files", f"{tmp_path / 'a.yaml'} {tmp_path / 'c.yaml'}"]
    assert main(["--model=MostPop", *both, *arguments(toy, topk=[4])]) == 0
    assert "ndcg@4" in capsys.readouterr().out
    spaced = ["--config_files", str(tmp_path / "b b.yaml"), str(tmp_path / "c.yaml")]
    assert main(["--model=MostPop", *spaced, *arguments(toy)]) == 0
    assert "ndcg@4" in capsys.readouterr().out


@pytest.mark.parametrize(("more", "code"), [([], 2), (["--lenient=False"], 2), (["--lenient"], 0)])
def test_a_row_with_a_column_too_many_is_left_out_if_one_says_so(toy, capsys, more, code):
    with Path(toy["data_path"], "toy", "toy.inter").open("a") as file:
        file.write("u1\ti1\t1700000000\tmore\n")
    assert main(["--model=MostPop", *arguments(toy), *more]) == code
    assert ("row 194 has 4 columns" in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model=Popularity"], "all of RecBole's work too"),
        ([], "no model is named"),
        (["--model=PopSASRec", "--dataset=gone"], "gone.inter"),
        (["--model=PopSASRec", "--pps_epsilon=-1"], "pps_epsilon is [-1]"),
        (["--model=PopSASRec", "--n_heads=3"], "must divide hidden_size"),
        (["--model=PopSASRec", "--loss_type=Hinge"], "loss_type"),
        (["--model=PopBERT4Rec", "--loss_type=Hinge"], "loss_type"),
        (["--model=PopBERT4Rec", "--mask_ratio=0"], "mask_ratio"),
        (["--model=PopSASRec", "--eval_args={'split': {'XS': 1}, 'order': 'TO'}"], "XS"),
        (["--model=PopSASRec", "epochs=3"], "[epochs=3] is not understood"),
        (["--model=PopSASRec", "--epochs", "3"], "is not understood"),
        (["--model=PopSASRec", "--config_files", "gone.yaml"], "gone.yaml"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(toy, argv, message, capsys):
    own = {word[2:].partition("=")[0] for word in argv}
    rest = [w for w in arguments(toy) if w[2:].partition("=")[0] not in own]
    assert main([*argv[:1], *rest, *argv[1:]] if argv else rest) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not captured.out


@pytest.mark.parametrize("plays", [[], [("u", "a", 1)], [("u", "a", 1), ("u", "b", 2)]])
def test_empty_data_and_single_users_too(toy, tmp_path, plays, capsys):
    header = "user_id:token\titem_id:token\ttimestamp:float"
    write_atomic(tmp_path / "data", "toy", plays, header)
    assert main(["--model=PopSASRec", *arguments(toy)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "toy" in error


def test_help_costs_no_import_of_torch(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "--model" in capsys.readouterr().out


def test_a_python_without_recbole_is_reported(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "recbole_popaware.launch", None)
    assert main(["--model=PopSASRec"]) == 2
    assert "README" in capsys.readouterr().err


def test_interruption_is_quiet(monkeypatch, capsys, toy):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("recbole_popaware.quick_start.prepare", interrupt)
    assert main(["--model=MostPop", *arguments(toy)]) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")


def test_report_shows_what_was_not_validated():
    result = {
        "model": "M",
        "dataset": "d",
        "best_valid_result": None,
        "test_result": {"ndcg@10": 0.25},
        "epochs": 3,
        "seconds": 12.4,
        "checkpoint": None,
    }
    lines = report(result).splitlines()
    assert [line.split() for line in lines if "ndcg" in line] == [["ndcg@10", "-", "0.2500"]]
    assert lines[-1] == "epochs: 3, in 12 s"
