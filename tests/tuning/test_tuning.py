from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import recbole.data.dataset
from helpers import arguments, looping_plays, write_atomic

import recbole_popaware.data
from recbole_popaware import properties
from recbole_popaware.cli import main
from recbole_popaware.config import Config
from recbole_popaware.data import utils as data_utils
from recbole_popaware.data.utils import data_properties
from recbole_popaware.errors import UsageError
from recbole_popaware.launch import Request
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.tuning import study
from recbole_popaware.tuning.options import Options
from recbole_popaware.tuning.results import Results, Trial
from recbole_popaware.tuning.space import make_space, read_line, read_space
from recbole_popaware.tuning.tune import tune
from recbole_popaware.utils import MODELS

pytest.importorskip("hyperopt", reason="hyperopt is not installed: pip install .[tune]")

WINDOWS = "history_window choice [3, 1, 5, 8]\n"


@pytest.fixture
def search(toy, tmp_path):
    """Run a search on the toy data; its result."""

    def run(space: str, model: str = "PersonalizedMostPop", settings=None, **options):
        file = tmp_path / "space.hyper"
        file.write_text(space)
        request = Request(model, config_dict={**toy, **(settings or {})})
        return tune(request, read_space(file), Options(**options))

    return run


def test_lines_of_every_kind_are_read(tmp_path):
    file = tmp_path / "all.hyper"
    file.write_text(
        "# a comment, and an empty line\n\n"
        "loss_type choice ['CE', 'BPR']\n"
        "  MAX_ITEM_LIST_LENGTH   choice [ 10, 20 ]\n"
        "learning_rate loguniform -8,0\n"
        "weight_decay uniform 0.0, 0.5\n"
        "n_layers quniform 1,4,1\n"
    )
    actual = {d.name: (d.kind, d.arguments) for d in read_space(file).dimensions}
    assert actual == {
        "loss_type": ("choice", ("CE", "BPR")),
        "MAX_ITEM_LIST_LENGTH": ("choice", (10, 20)),
        "learning_rate": ("loguniform", (-8.0, 0.0)),
        "weight_decay": ("uniform", (0.0, 0.5)),
        "n_layers": ("quniform", (1.0, 4.0, 1.0)),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate choice", "a line is"),
        ("learning_rate normal 0,1", "a line is"),
        ("learning_rate choice __import__('os').abort()", "list"),
        ("learning_rate choice 0.1", "list"),
        ("learning_rate choice []", "values"),
        ("loss_type choice [CE, BPR]", "quotes"),
        ("learning_rate uniform 1,0", "less than"),
        ("learning_rate uniform a,b", "2 numbers"),
        ("learning_rate uniform 0,1,2", "2 numbers"),
        ("n_layers quniform 1,4", "3 numbers"),
        ("n_layers quniform 1,4,0", "step"),
        ("learning_rate uniform nan,1", "numbers"),
    ],
)
def test_a_bad_line_is_reported_with_its_number(tmp_path, line, message):
    file = tmp_path / "bad.hyper"
    file.write_text("n_heads choice [1]\n" + line + "\n")
    with pytest.raises(UsageError, match=r"line 2.*" + re.escape(message)):
        read_space(file)


def test_whole_steps_are_whole_numbers():
    """hyperopt draws 2.0, which RecBole's models cannot count layers by."""
    assert repr(read_line("n_layers quniform 1,4,1").value(2.0)) == "2"
    assert repr(read_line("p quniform 0,1,0.1").value(0.1 * 3)) == "0.3"
    assert read_line("p choice [[64, 64], [128]]").value(np.int64(1)) == [128]


def test_lists_may_be_text_as_in_recboles_files():
    assert read_line("p choice ['[64, 32]', '[]', 'CE', '[']").arguments == ([64, 32], [], "CE", "[")


@pytest.fixture
def unplayed(toy, tmp_path):
    """Users who leave items to draw negatives from."""
    plays = [(f"u{n}", f"i{(n + play) % 12}", 1_600_000_000 + play) for n in range(12) for play in range(6)]
    write_atomic(tmp_path / "data", "unplayed", plays)
    return {**toy, "dataset": "unplayed"}


def test_recboles_own_example_tunes_bpr(unplayed, tmp_path, caplog):
    """RecBole's file names a property of other models, which BPR passes over."""
    file = tmp_path / "hyper.test"
    file.write_text(
        "learning_rate loguniform -8, 0\n"
        "embedding_size choice [8, 16]\n"
        "mlp_hidden_size choice ['[64,64,64]','[128,128]']\n"
    )
    result = tune(Request("BPR", config_dict=unplayed), read_space(file), Options(algo="random", max_evals=2))
    assert len(result.trials) == 2
    assert all(trial.params.keys() == {"learning_rate", "embedding_size"} for trial in result.trials)
    assert any("[mlp_hidden_size] is none of BPR" in record.getMessage() for record in caplog.records)


def test_lists_are_tuned(unplayed):
    space = make_space({"mlp_hidden_size": ["[8]", "[16, 8]"]})
    result = tune(Request("NeuMF", config_dict=unplayed), space, Options())
    assert [trial.params["mlp_hidden_size"] for trial in result.trials] == [[8], [16, 8]]


def test_the_grid_is_walked_in_order_and_to_the_end(tmp_path):
    file = tmp_path / "two.hyper"
    file.write_text("a choice [1, 2]\nb choice ['x', 'y', 'z']\n")
    space = read_space(file)
    size, points = space.grid()
    assert [space.values(point) for point in points] == [{"a": a, "b": b} for a in (1, 2) for b in "xyz"]
    assert size == 6


def test_every_shipped_space_fits_its_model(toy):
    files = sorted((properties.FOLDER / "hyper").glob("*.hyper"))
    assert {"PopSASRec", "PopBERT4Rec", "PopGSASRec"} <= {file.stem for file in files}
    for file in files:
        if file.stem in MODELS:
            names = {d.name for d in read_space(file).dimensions}
            assert names <= Config(file.stem, config_dict=toy).known_properties()


@pytest.mark.parametrize(
    ("scores", "bigger", "best"),
    [((0.0, -1.0), True, 0), ((0.0, 0.5), True, 1), ((0.0, 0.5), False, 0), ((None, 0.0), True, 1)],
)
def test_a_score_of_zero_is_a_score(scores, bigger, best):
    first, second = (Trial(str(n), {}, score, bigger) for n, score in enumerate(scores))
    assert second.beats(first) == (best == 1)
    assert not Trial("failed", {}).beats(first)


def test_results_are_whole_at_any_time(tmp_path, monkeypatch):
    results = Results(tmp_path / "new" / "results.jsonl")
    results.add(Trial("a", {"x": 1}, 0.1 + 0.2, valid={"ndcg@10": 0.3}))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        results.add(Trial("b", {"x": 2}, error="broke"))
    assert Results(results.file).trials == {"a": Trial("a", {"x": 1}, 0.1 + 0.2, valid={"ndcg@10": 0.3})}


@pytest.mark.parametrize("content", ["plain text\n", "[1]\n", '{"a": 1}\n', "{}\n"])
def test_a_file_of_something_else_is_not_overwritten(tmp_path, content):
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"notes\.txt"):
        Results(file)
    assert file.read_text() == content


def test_a_search_tries_all_and_keeps_the_best(search, tmp_path):
    actual = search(WINDOWS, output_file="out/results.jsonl", display_file="scores.html")
    lines = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    assert [line["params"]["history_window"] for line in lines] == [3, 1, 5, 8]
    assert actual.best.score == max(line["score"] for line in lines)
    kept = list(Path("out/results").rglob("*.pth"))
    assert [str(file.resolve()) for file in kept] == [actual.best.checkpoint]
    assert "plotly" in Path("scores.html").read_text()


@pytest.mark.parametrize(
    ("algo", "space"),
    [
        ("exhaustive", WINDOWS),
        ("random", "history_window quniform 1,9000,1\n"),
        ("bayes", "history_window quniform 1,9000,1\n"),
    ],
)
def test_an_interrupted_search_goes_on(search, monkeypatch, algo, space):
    whole = search(space, algo=algo, max_evals=4, output_file="whole.jsonl")
    objective, runs = study.objective_function, []

    def interrupted(task, *args):
        runs.append(task.params)
        if len(runs) == 3:
            raise KeyboardInterrupt
        return objective(task, *args)

    monkeypatch.setattr(study, "objective_function", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(space, algo=algo, max_evals=4, output_file="parts.jsonl")
    assert len(Path("parts.jsonl").read_text().splitlines()) == 2
    continued = search(space, algo=algo, max_evals=4, output_file="parts.jsonl")
    assert len(runs) == 5  # two, the interrupted one, which is run again, and the last
    assert [t.params for t in continued.trials] == [t.params for t in whole.trials]
    assert continued.best._replace(seconds=0, checkpoint="") == whole.best._replace(seconds=0, checkpoint="")
    search(space, algo=algo, max_evals=4, output_file="parts.jsonl")
    assert len(runs) == 5
    search(space, algo=algo, max_evals=4, output_file="parts.jsonl", settings={"topk": [3, 10]})
    assert len(runs) > 5  # other settings, other trials


def test_a_failing_trial_does_not_end_the_search(search):
    actual = search("n_heads choice [3, 2]\n", model="PopSASRec")
    assert [trial.score is None for trial in actual.trials] == [True, False]
    assert "n_heads" in actual.trials[0].error or "multiple" in actual.trials[0].error
    with pytest.raises(UsageError, match="all 1 trials failed"):
        search("n_heads choice [3]\n", model="PopSASRec", output_file="other.jsonl")


@pytest.mark.parametrize(
    ("space", "loads"),
    [(WINDOWS, 1), ("MAX_ITEM_LIST_LENGTH choice [4, 8]\nhistory_window choice [2, 3]\n", 2)],
)
def test_data_are_loaded_once_unless_they_differ(search, monkeypatch, space, loads):
    create, calls = data_utils.create_dataset, []
    monkeypatch.setattr(data_utils, "create_dataset", lambda config: calls.append(1) or create(config))
    search(space)
    assert len(calls) == loads


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec"])
def test_a_trial_gives_what_the_same_settings_give_alone(search, toy, model):
    toy["show_progress"] = False
    actual = search("learning_rate choice [0.01, 0.03]\n", model=model)
    for trial in actual.trials:
        alone = run_recbole_popaware(model, config_dict={**toy, **trial.params})
        assert trial.valid == alone["best_valid_result"]
        assert trial.test == alone["test_result"]


def test_what_data_are_made_of_is_named(toy):
    """Whatever the modules of data sets read from the configuration decides whether data can be shared."""
    ours = Path(recbole_popaware.data.__file__).parent
    files = [ours / f"{name}.py" for name in ("dataset", "atomic", "reader", "parts")]
    files += [Path(module.__file__) for module in vars(recbole.data.dataset).values() if _is_read(module)]
    read = {name for file in files for name in re.findall(r'config\[["\'](\w+)', file.read_text())}
    of_one_process = {"checkpoint_dir", "local_rank"}
    assert len(read) > 30
    assert read - of_one_process <= data_properties(Config("PopSASRec", config_dict=toy))


def _is_read(module) -> bool:
    return getattr(module, "__name__", "").endswith((".dataset.dataset", ".sequential_dataset"))


def test_the_command_prints_the_best(toy, tmp_path, capsys):
    (tmp_path / "s.hyper").write_text(WINDOWS)
    assert main(["--model=PersonalizedMostPop", *arguments(toy, params_file="s.hyper", max_evals=2)]) == 0
    out = capsys.readouterr().out
    assert "--history_window=3" in out
    assert "trials: 2" in out
    assert "saved/PersonalizedMostPop-toy.tuning.jsonl" in out


@pytest.mark.parametrize(
    ("space", "argv", "message"),
    [
        (None, ["--params_file=gone.hyper"], "gone.hyper"),
        ("", [], "names no property"),
        ("history_window pick [1]\n", [], "line 1"),
        ("history_windw choice [1]\n", [], "did you mean history_window?"),
        ("state choice ['INFO']\n", [], "cannot be tuned"),
        ("pooling_mode choice ['sum']\n", [], "[pooling_mode] of PersonalizedMostPop is not known"),
        ("history_window choice [0]\n", [], "history_window is [0]"),
        ("history_window choice [1]\n", ["--history_window=3"], "given and tuned"),
        (WINDOWS, ["--algo=best"], "algo is [best]"),
        (WINDOWS, ["--tool=spark"], "tool is [spark]"),
        (WINDOWS, ["--max_evals=0"], "max_evals is [0]"),
        (WINDOWS, ["--max_evals=many"], "max_evals"),
        (WINDOWS, ["--workers=0"], "workers is [0]"),
        (WINDOWS, ["--eval_step=0"], "eval_step"),
        (WINDOWS, ["--nproc=2"], "--tool=ray"),
        (WINDOWS, ["--display_file=gone/a.html"], "gone/a.html"),
        (WINDOWS, ["--data_path=gone"], "toy.inter"),
        ("novelty_epsilon uniform 0.1,1\n", [], "exhaustive"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(toy, tmp_path, capsys, space, argv, message):
    if space is not None:
        (tmp_path / "s.hyper").write_text(space)
        argv = ["--params_file=s.hyper", *argv]
    own = {word[2:].partition("=")[0] for word in argv}
    rest = [word for word in arguments(toy) if word[2:].partition("=")[0] not in own]
    assert main(["--model=PersonalizedMostPop", *rest, *argv]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize(("tool", "module"), [("hyperopt", "hyperopt"), ("ray", "ray")])
def test_what_is_not_installed_is_reported(toy, tmp_path, capsys, monkeypatch, tool, module):
    monkeypatch.setattr(
        "recbole_popaware.tuning.options.importlib.util.find_spec", lambda name: None if name == module else 1
    )
    argv = arguments(toy, params_file="s.hyper", tool=tool)
    assert main(["--model=PersonalizedMostPop", *argv]) == 2
    assert f"needs {module}" in capsys.readouterr().err


def _why_no_ray() -> str | None:
    try:
        version = tuple(map(int, metadata.version("ray").split(".")[:2]))
    except metadata.PackageNotFoundError:
        return "Ray is not installed"
    return None if version >= (2, 7) else f"Ray {version} cannot run Tune on NumPy 2: requirements-ray.txt"


@pytest.mark.slow
@pytest.mark.skipif(_why_no_ray() is not None, reason=str(_why_no_ray()))
def test_ray_finds_what_one_process_finds(search):
    space = "history_window choice [3, 1, 5, 8]\n"
    alone = search(space, output_file="alone.jsonl")
    together = search(space, output_file="ray.jsonl", tool="ray", workers=2, max_evals=3)
    scores = {trial.key: trial.score for trial in together.trials}
    assert len(scores) == 3
    assert scores.items() <= {trial.key: trial.score for trial in alone.trials}.items()
    continued = search(space, output_file="ray.jsonl", tool="ray", workers=2)
    assert len(continued.trials) == 4
    assert [t.params for t in continued.trials[:3]] == [t.params for t in alone.trials[:3]]
    assert Path(continued.best.checkpoint).is_file()


@pytest.mark.slow
@pytest.mark.skipif(_why_no_ray() is not None, reason=str(_why_no_ray()))
def test_a_failing_trial_does_not_end_a_search_with_ray(search):
    actual = search("n_heads choice [3, 2]\n", "PopSASRec", tool="ray", workers=2, algo="bayes", max_evals=3)
    assert {trial.params["n_heads"]: trial.error is None for trial in actual.trials} == {3: False, 2: True}


@pytest.mark.slow
@pytest.mark.skipif(_why_no_ray() is not None, reason=str(_why_no_ray()))
def test_a_cluster_that_is_not_there_is_reported(toy, tmp_path, capsys):
    (tmp_path / "s.hyper").write_text(WINDOWS)
    argv = arguments(toy, params_file="s.hyper", tool="ray", ray_address="127.0.0.1:1")
    assert main(["--model=PersonalizedMostPop", *argv]) == 2
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_general_models_are_tuned_on_data_that_all_trials_share(toy, tmp_path, monkeypatch):
    write_atomic(tmp_path / "data", "toy", looping_plays(n_items=40))
    made = []
    create = data_utils.create_dataset
    monkeypatch.setattr(data_utils, "create_dataset", lambda config: made.append(1) or create(config))
    settings = {**toy, "eval_args": {"split": {"GTS": [0.6, 0.2, 0.2]}}}
    (tmp_path / "space.hyper").write_text("reg_weight choice [1.0, 1000.0]\n")
    request = Request("EASE", config_dict=settings)
    result = tune(request, read_space(tmp_path / "space.hyper"), Options(algo="exhaustive"))
    assert len(made) == 1
    for trial in result.trials:
        alone = run_recbole_popaware("EASE", config_dict={**settings, **trial.params})
        assert trial.test == pytest.approx(alone["test_result"])
