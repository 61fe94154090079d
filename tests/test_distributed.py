from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from helpers import ROOT, arguments, build
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.utils.data.distributed import DistributedSampler

from recbole_popaware import properties
from recbole_popaware.cli import main
from recbole_popaware.distributed import Topology, gather_rows, resize_sampler
from recbole_popaware.errors import UsageError
from recbole_popaware.launch import Request, run
from recbole_popaware.model.sequential_recommender import PopSASRec
from recbole_popaware.quick_start import load_data_and_model
from recbole_popaware.utils import get_trainer


def dealt(n_rows: int, n_processes: int) -> list[list[int]]:
    return [
        list(DistributedSampler(range(n_rows), n_processes, rank, shuffle=False))
        for rank in range(n_processes)
    ]


@given(st.integers(1, 40), st.integers(1, 6))
def test_what_processes_collected_is_put_in_the_order_of_one(n_rows, n_processes):
    parts = [torch.tensor(rows) for rows in dealt(n_rows, n_processes)]

    def all_gather(into, mine):
        for target, part in zip(into, parts):
            target.copy_(part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "get_world_size", lambda: n_processes)
        patch.setattr(distributed, "all_gather", all_gather)
        assert gather_rows(parts[0], n_rows).tolist() == list(range(n_rows))
        with pytest.raises(UsageError, match="nproc"):
            gather_rows(torch.zeros(n_rows * 3 + 7), n_rows)


def test_a_sampler_deals_the_rows_that_there_are_now():
    for before, after in ((10, 3), (3, 11)):
        samplers = [DistributedSampler(range(before), 2, rank) for rank in range(2)]
        for sampler in samplers:
            resize_sampler(sampler, after)
        hands = [list(sampler) for sampler in samplers]
        assert len(hands[0]) == len(hands[1]) == len(samplers[0])
        assert {*hands[0], *hands[1]} == set(range(after))


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (Topology(nproc=0, world_size=1), "at least 1"),
        (Topology(nproc=2, world_size=1), "at most world_size"),
        (Topology(nproc=2, world_size=4, group_offset=3, port=1), "at most world_size"),
        (Topology(nproc=2, world_size=4), "port"),
    ],
)
def test_processes_that_do_not_fit_are_refused(topology, message):
    with pytest.raises(UsageError, match=message):
        topology.as_properties()


def test_one_machine_finds_a_port_of_its_own():
    properties = Topology(nproc=2).as_properties()
    assert properties["world_size"] == 2
    assert properties["port"] > 0
    assert Topology().is_one_process


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        {"train_targets": "all", "train_batch_size": 4, "epochs": 2},
        {"train_targets": "next", "eval_batch_size": 3},
        {"eval_args": {"split": {"GTS": [0.6, 0.2, 0.2]}, "order": "TO"}},
    ],
)
def test_two_processes_measure_what_one_measures(toy, tmp_path, more):
    metrics = ["NDCG", "Recall", "GradedNDCG", "RepeatBias", "ItemCoverage"]
    settings = {**toy, "metrics": metrics, "save_per_user": True, **more}
    together = run(Request("PopSASRec", config_dict=settings), Topology(nproc=2))
    for folder, kind in (("log", "*.log"), ("saved", "*.pth"), ("saved", "*.parquet")):
        assert len(list((tmp_path / folder).rglob(kind))) == 1  # the first process alone writes
    assert len(list((tmp_path / "log_tensorboard").iterdir())) == 1
    alone = load_data_and_model(together["checkpoint"])
    trainer = get_trainer(alone.config["MODEL_TYPE"], "PopSASRec")(alone.config, alone.model)
    trainer.eval_collector.data_collect(alone.train_data)
    for data, result in ((alone.valid_data, "best_valid_result"), (alone.test_data, "test_result")):
        assert trainer.evaluate(data, load_best_model=False) == together[result]
    per_user = pd.read_parquet(next((tmp_path / "saved").glob("*.parquet")))
    names = alone.dataset.field2id_token["user_id"]
    pd.testing.assert_frame_equal(per_user, trainer.evaluator.per_user(names))


@pytest.mark.slow
def test_a_model_that_learns_nothing_needs_no_wrapping(toy, capsys):
    alone = run(Request("PersonalizedMostPop", config_dict=toy), Topology())
    together = run(Request("PersonalizedMostPop", config_dict=toy), Topology(nproc=2))
    assert together["test_result"] == alone["test_result"]


@pytest.mark.slow
@pytest.mark.parametrize("split", [{"LS": "valid_and_test"}, {"GTS": [0.6, 0.2, 0.2]}])
def test_popularity_only_trains_in_two_processes(toy, split):
    settings = {**toy, "eval_args": {"split": split, "order": "TO"}, "epochs": 2}
    together = run(Request("PopOnly", config_dict=settings), Topology(nproc=2))
    alone = load_data_and_model(together["checkpoint"])
    untrained = build("PopOnly", settings).model.state_dict()
    learned = {name for name, value in alone.model.named_parameters() if not value.equal(untrained[name])}
    assert learned == {name for name, _ in alone.model.named_parameters()}
    trainer = get_trainer(alone.config["MODEL_TYPE"], "PopOnly")(alone.config, alone.model)
    trainer.eval_collector.data_collect(alone.train_data)
    assert trainer.evaluate(alone.test_data, load_best_model=False) == together["test_result"]


def test_a_model_that_counts_what_its_process_is_dealt_is_refused(toy):
    with pytest.raises(UsageError, match=r"Pop counts .* say --nproc=1"):
        run(Request("Pop", config_dict=toy), Topology(nproc=2))


class Crashing(PopSASRec):
    """Fails in the second process only, when the first one waits for it."""

    def calculate_loss(self, interaction):
        if distributed.get_rank() == 1:
            raise RuntimeError("a crash on purpose")
        return super().calculate_loss(interaction)


@pytest.mark.slow
def test_a_crash_in_one_ends_all(toy):
    of_model = str(properties.FOLDER / "model" / "PopSASRec.yaml")
    with pytest.raises(ProcessRaisedException, match="a crash on purpose"):
        run(Request(Crashing, config_files=(of_model,), config_dict=toy), Topology(nproc=2))
    assert not psutil.Process().children(recursive=True) or _only_trackers()


def _only_trackers() -> bool:
    """Python's own helper of spawned processes stays, and nothing else."""
    return all("resource_tracker" in " ".join(c.cmdline()) for c in psutil.Process().children())


@pytest.mark.slow
def test_a_mistake_gets_one_line_and_code_2(toy, capfd):
    assert main(["--model=PopSASRec", "--nproc=2", *arguments(toy, dataset="gone")]) == 2
    message = capfd.readouterr().err
    assert message.startswith("error: ")
    assert "gone.inter" in message
    assert message.count("\n") == 1


@pytest.mark.slow
def test_an_interruption_leaves_nobody(toy, tmp_path):
    command = [sys.executable, str(ROOT / "run_recbole_popaware.py"), "--model=PopSASRec", "--nproc=2"]
    toy["state"] = "INFO"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    with Path("out.txt").open("w") as out:
        started = subprocess.Popen(
            [*command, *arguments(toy, epochs=10_000, stopping_step=10_000)],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    signal.signal(signal.SIGINT, before)
    family: list[psutil.Process] = []
    try:
        limit = time.monotonic() + 120
        while "epoch 1 " not in Path("out.txt").read_text() and time.monotonic() < limit:
            time.sleep(0.2)
        family = psutil.Process(started.pid).children(recursive=True)
        started.send_signal(signal.SIGINT)  # to the first process alone, as `kill -INT` does
        assert started.wait(60) == 130
        _, alive = psutil.wait_procs(family, timeout=20)
    finally:
        for process in (started, *family):
            if process.pid in psutil.pids():
                process.kill()
    assert len(family) >= 2
    assert not alive
    assert Path("out.txt").read_text().endswith("interrupted\n")
