"""Kills at random moments: what is left is whole or gone, and the same command works again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT, TRAIN, arguments, looping_plays, write_atomic

from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.cli import main
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.recommending.__main__ import main as recommend

pytestmark = pytest.mark.slow

KILLS = 3
PATIENCE = 300  # seconds, on a busy machine


def killed(command, ready, number, seed):
    """Start a command, and kill it up to two seconds after it is ready for that; its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("out.txt").open("ab") as out:
        process = subprocess.Popen(  # ours
            [sys.executable, *map(str, command)], stdout=out, stderr=out, env=environment
        )
    deadline = time.monotonic() + PATIENCE
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(random.Random(seed).uniform(0, 2))  # no secret
    process.send_signal(number)
    return process.wait(PATIENCE)


def checkpoints():
    return len(list(Path("saved").glob("*.pth")))


def parts():
    return [file for file in Path.cwd().rglob("*") if file.name.endswith(".part")]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_training(toy, number):
    train = ["--model=PopSASRec", *arguments(toy, epochs=10_000, stopping_step=10_000)]
    for seed in range(KILLS):
        before = len(list(Path().glob("saved/*.pth")))
        code = killed(
            [TRAIN, *train], lambda n=before: len(list(Path().glob("saved/*.pth"))) > n, number, seed
        )
        assert code == (-9 if number == signal.SIGKILL else 130)
        assert number == signal.SIGKILL or not parts()
    files = sorted(Path("saved").glob("*.pth"))
    assert len(files) == KILLS
    for file in files:
        checkpoint = read_checkpoint(file, to_resume=True)
        epochs = checkpoint["epoch"] + 2
        again = {**toy, "epochs": epochs, "resume_from": str(file)}
        assert run_recbole_popaware("PopSASRec", config_dict=again)["epochs"] == epochs
    assert not parts()


def test_a_search(toy, tmp_path):
    (tmp_path / "a.hyper").write_text("learning_rate choice [0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]\n")
    search = ["--model=PopSASRec", *arguments(toy), "--params_file=a.hyper"]
    results = Path("saved", "PopSASRec-toy.tuning.jsonl")

    def trials():
        return len(results.read_text().splitlines()) if results.exists() else 0

    for seed in range(KILLS):
        before = trials()
        killed([TRAIN, *search], lambda n=before: trials() > n, signal.SIGKILL, seed)
        for line in results.read_text().splitlines():
            json.loads(line)
    assert main(search) == 0
    assert trials() == 8
    assert len(list(Path("saved").rglob("*.pth"))) == 1  # the best one's
    assert not parts()


def test_an_experiment(toy, tmp_path):
    names = [{"name": f"S{n}", "model": "MostPop"} for n in range(3)]
    settings = {"data_path": toy["data_path"], "metrics": ["NDCG"], "topk": [10], "valid_metric": "NDCG@10"}
    (tmp_path / "plan.yaml").write_text(
        json.dumps({"dataset": "toy", "systems": names, "settings": settings})
    )
    command = ["-m", "recbole_popaware.experiment", "plan.yaml", "--output", "out", "--resume"]

    def finished():
        return len(list(Path("out", "runs").glob("*/result.json")))

    killed(command, lambda: finished() > 0, signal.SIGKILL, 0)
    assert not Path("out", "report.html").exists()
    from recbole_popaware.experiments.__main__ import main as experiment

    assert experiment(command[2:]) == 0
    assert finished() == 3
    assert Path("out", "report.html").exists()
    assert not parts()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_recommending(toy, tmp_path, suffix):
    write_atomic(tmp_path / "data", "toy", looping_plays(n_users=3000))
    file = run_recbole_popaware("MostPop", config_dict=toy)["checkpoint"]
    lists = Path(f"lists{suffix}")
    command = ["--checkpoint", file, "--output", str(lists), "--batch-size=4"]
    for seed in range(KILLS):
        killed(["-m", "recbole_popaware.recommend", *command], parts, signal.SIGKILL, seed)
        if lists.exists():
            read = pd.read_csv if suffix == ".csv" else pd.read_parquet
            assert len(read(lists)) == 3000 * 10
    assert recommend(command) == 0
    assert lists.exists()
    assert not parts()
