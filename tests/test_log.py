from __future__ import annotations

import functools
import logging
import re
from pathlib import Path

import pytest
from helpers import ROOT, TRAIN, arguments, run_command, write_atomic

from recbole_popaware import log
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import run_recbole_popaware


def bare(test):
    """Give a test a root logger as a command finds it, without pytest's handlers."""

    @functools.wraps(test)
    def with_bare_root(*args, **kwargs):
        root = logging.getLogger()
        before, level, capture = root.handlers, root.level, logging.captureWarnings
        root.handlers, logging.captureWarnings = [], lambda _: None
        try:
            test(*args, **kwargs)
        finally:
            log.forget()
            root.handlers, logging.captureWarnings = before, capture
            root.setLevel(level)

    return with_bare_root


CONFIG = {"model": "M", "dataset": "d", "state": "INFO"}


def work(error=None, shown=False):
    with log.quiet_if_refused():
        log.hold()
        logging.getLogger("a").warning("an early warning")
        log.init_logger(CONFIG)
        logging.getLogger("a").info("\033[1;35msettings\033[0m")
        if shown:
            log.show()
        if error is not None:
            raise error


@bare
def test_a_mistake_leaves_the_console_to_its_line_and_the_file_has_all(capsys):
    with pytest.raises(UsageError):
        work(UsageError("wrong"))
    assert capsys.readouterr().err == ""
    assert not logging.getLogger().handlers
    (file,) = Path("log", "M").iterdir()
    lines = file.read_text().splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["an early warning", "settings"]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), RuntimeError("a bug")])
@bare
def test_whatever_else_ends_a_run_shows_what_was_kept_back(capsys, error):
    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work(error)
    printed = capsys.readouterr().err
    assert re.fullmatch(r".* WARNING  an early warning\n.* INFO  settings\n", printed)


@bare
def test_once_shown_lines_come_at_once(capsys):
    with pytest.raises(UsageError):
        work(UsageError("in the third epoch"), shown=True)
    assert "settings" in capsys.readouterr().err


@bare
def test_settings_are_in_the_file_and_the_console_names_it(capsys):
    log.hold()
    log.init_logger(CONFIG)
    log.log_settings(CONFIG)
    log.show()
    (file,) = Path("log", "M").iterdir()
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert str(file) in printed
    assert str(CONFIG) in file.read_text()


@bare
def test_the_level_is_that_of_the_settings(capsys):
    log.hold()
    logging.getLogger("a").warning("an early warning")
    log.init_logger({**CONFIG, "state": "error"})
    log.show()
    assert capsys.readouterr().err == ""


@bare
def test_two_runs_in_one_second_have_a_file_each():
    for n in range(3):
        log.init_logger(CONFIG)
        logging.getLogger("a").info("run %d", n)
    texts = sorted(file.read_text().split("  ")[-1] for file in Path("log", "M").iterdir())
    assert texts == ["run 0\n", "run 1\n", "run 2\n"]


@bare
def test_handlers_of_others_stay_alone(capsys):
    root, mine = logging.getLogger(), logging.NullHandler()
    root.addHandler(mine)
    log.hold()
    log.init_logger(CONFIG)
    log.show()
    assert root.handlers[0] is mine
    assert len(root.handlers) == 2
    assert capsys.readouterr().err == ""


@bare
def test_a_log_on_a_full_disk_ends_the_run_in_one_line(monkeypatch):
    log.init_logger(CONFIG)

    def full(*_):
        raise OSError(28, "No space left on device")

    (file,) = (
        handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)
    )
    monkeypatch.setattr(file.stream, "flush", full, raising=False)
    with pytest.raises(UsageError, match="cannot be written: No space left"):
        logging.getLogger("a").info("more")
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["log", "log_tensorboard", "saved"])
def test_folders_that_are_files_are_found_before_the_data_are_read(toy, name, monkeypatch):
    Path(name).write_text("")
    monkeypatch.setattr("recbole_popaware.quick_start.prepare", None)
    with pytest.raises(UsageError, match=name):
        run_recbole_popaware("MostPop", config_dict=toy)


@pytest.mark.parametrize("name", ["tensorboard_dir", "checkpoint_dir"])
def test_folders_that_cannot_be_are_found_before_the_data_are_read(toy, name, monkeypatch):
    monkeypatch.setattr("recbole_popaware.quick_start.prepare", None)
    with pytest.raises(UsageError, match=r"\[/proc/x\] cannot be written to"):
        run_recbole_popaware("MostPop", config_dict={**toy, name: "/proc/x"})


def test_a_real_command_tells_a_mistake_in_one_line(toy):
    toy["state"] = "INFO"
    for mistake in ({"dataset": "nope"}, {"n_heads": 3, "lerning_rate": 0.1}):
        code, lines = run_command(TRAIN, "--model=PopSASRec", *arguments(toy, **mistake))
        assert (code, len(lines), lines[0][:7]) == (2, 1, "error: "), lines


@pytest.mark.slow
def test_every_command_tells_mistakes_in_one_line(toy, tmp_path):
    toy["state"] = "INFO"
    write_atomic(tmp_path / "data", "bad", [("u", "i", "then"), ("u", "j", 2)])
    write_atomic(tmp_path / "data", "tiny", [("u", "i", 1), ("v", "j", 2)])
    (tmp_path / "a.hyper").write_text("n_layers choice [1,2]\n")
    (tmp_path / "plan.yaml").write_text(
        "dataset: bad\nsystems:\n- {name: A, model: MostPop}\nsettings: {data_path: gone}\n"
    )
    train = [TRAIN, "--model=PopSASRec"]
    commands = [
        *[[*train, *arguments(toy, dataset=name)] for name in ("bad", "tiny", "nope")],
        [*train, *arguments(toy, topk="[10]", valid_metric="NDCG@3")],
        [*train, *arguments(toy, resume_from=tmp_path / "a.hyper")],
        [*train, *arguments(toy, dataset="nope"), "--nproc=2"],
        [*train, *arguments(toy, dataset="bad"), "--params_file=a.hyper"],
        [*train, *arguments(toy), "--params_file=a.hyper", "--display_file=/proc/x.html"],
        [*train, *arguments(toy), "--params_file=a.hyper", "--output_file=/proc/x.jsonl"],
        ["-m", "recbole_popaware.recommend", "--checkpoint", "a.hyper"],
        ["-m", "recbole_popaware.experiment", "plan.yaml"],
        ["-m", "recbole_popaware.experiment", "plan.yaml", "--output", "a.hyper"],
    ]
    for command in commands:
        if command[0] == "-m":
            command = ["-c", _MODULE.format(root=str(ROOT), module=command[1]), *command[2:]]
        code, lines = run_command(*command)
        assert (code, len(lines), lines[0][:7]) == (2, 1, "error: "), (command, lines)


_MODULE = "import runpy, sys; sys.path[0] = {root!r}; runpy.run_module({module!r}, run_name='__main__')"
