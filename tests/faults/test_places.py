"""Full disks and places that cannot be written to: one line and exit code 2, and nothing half-written."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import TRAIN, arguments, run_command

from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.cli import main

pytestmark = pytest.mark.slow


def mount(folder, options):
    folder.mkdir()
    program = shutil.which("mount")
    if program is None:
        pytest.skip("no mount")
    done = subprocess.run(  # ours
        [program, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting is not allowed here")
    return folder


def unmount(folder):
    program = shutil.which("umount")
    assert program is not None
    subprocess.run([program, "-l", str(folder)], check=True)  # ours


@pytest.fixture
def small_disk(tmp_path):
    folder = mount(tmp_path / "disk", "size=256k")
    yield folder
    unmount(folder)


@pytest.fixture
def read_only(tmp_path):
    folder = mount(tmp_path / "disk", "ro")
    yield folder
    unmount(folder)


@pytest.mark.parametrize("name", ["checkpoint_dir", "tensorboard_dir"])
def test_a_disk_that_is_full_from_the_start(toy, small_disk, name, capsys):
    with suppress(OSError):
        (small_disk / "all").write_bytes(bytes(1 << 20))
    assert main(["--model=PopSASRec", *arguments(toy, **{name: small_disk})]) == 2
    assert "No space left" in capsys.readouterr().err


def test_a_checkpoint_that_is_too_large(toy, small_disk):
    command = arguments(toy, hidden_size=256, inner_size=512, checkpoint_dir=small_disk)
    code, lines = run_command(TRAIN, "--model=PopSASRec", *command)
    assert code == 2
    assert lines[-1].startswith(f"error: {small_disk}")
    assert "cannot be written" in lines[-1]
    assert not [line for line in lines if "Traceback" in line]
    assert not list(small_disk.iterdir())


def filling(disk):
    """A program that trains, and fills the disk after the first epoch."""
    return f"""
import sys
sys.path.insert(0, {str(TRAIN.parent)!r})
from pathlib import Path
from recbole_popaware import cli, quick_start
def fill(epoch, score):
    try:
        with open({str(disk / "all")!r}, "wb") as file:
            while True:
                file.write(bytes(512)); file.flush()
    except OSError:
        pass
train = quick_start._train
quick_start._train = lambda experiment, trainer, _: train(experiment, trainer, fill)
sys.exit(cli.main())
"""


@pytest.mark.parametrize("where", ["log", "tensorboard_dir", "per_user", "checkpoint_dir"])
def test_a_disk_that_fills_up_while_training(toy, small_disk, tmp_path, where):
    """Each epoch counts as the best one, as there is no validation."""
    more = {"epochs": 40, "eval_step": 1, "stopping_step": 100, "state": "INFO"}
    if where == "log":
        (tmp_path / "log").symlink_to(small_disk)
    elif where == "per_user":
        more |= {"checkpoint_dir": small_disk, "save_per_user": True, "epochs": 1}
    else:
        more[where] = small_disk
    code, lines = run_command("-c", filling(small_disk), "--model=PopSASRec", *arguments(toy, **more))
    err = [line for line in lines if "Traceback" in line or "Exception" in line]
    assert (code, err) == (2, []), lines[-20:]
    assert lines[-1].startswith("error: ")
    assert "written" in lines[-1]
    for file in small_disk.glob("*.pth"):
        read_checkpoint(file)
    assert not list(small_disk.glob(".*.part"))


@pytest.mark.parametrize("name", ["checkpoint_dir", "tensorboard_dir"])
def test_places_that_are_read_only(toy, read_only, name, capsys):
    assert main(["--model=PopSASRec", *arguments(toy, **{name: read_only})]) == 2
    assert "Read-only" in capsys.readouterr().err


def test_results_on_a_read_only_disk(toy, read_only, tmp_path, capsys):
    from recbole_popaware.experiments.__main__ import main as experiment

    (tmp_path / "a.hyper").write_text("MAX_ITEM_LIST_LENGTH choice [3,4]\n")
    search = ["--model=MostPop", *arguments(toy), "--params_file=a.hyper"]
    settings = f"{{data_path: {tmp_path / 'data'}, topk: [10], metrics: [NDCG], valid_metric: NDCG@10}}"
    plan = f"dataset: toy\nsystems:\n- {{name: A, model: MostPop}}\nsettings: {settings}\n"
    (tmp_path / "plan.yaml").write_text(plan)
    commands = [
        lambda: main([*search, f"--output_file={read_only / 'x.jsonl'}"]),
        lambda: main([*search, f"--display_file={read_only / 'x.html'}"]),
        lambda: experiment([str(tmp_path / "plan.yaml"), "--output", str(read_only / "out")]),
    ]
    for command in commands:
        assert command() == 2
        err = capsys.readouterr().err
        assert "Read-only" in err
        assert err.count("\n") == 1
    assert not list(Path("saved").rglob("*.pth"))  # found before any trial
