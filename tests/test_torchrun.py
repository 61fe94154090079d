"""Training under PyTorch's torchrun: one machine, two of them over TCP, and wrong settings."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from helpers import ROOT, TRAIN, arguments
from torch import distributed

from recbole_popaware import distributed as ours
from recbole_popaware import torchrun
from recbole_popaware.cli import main
from recbole_popaware.distributed import Topology, mean_of_rows
from recbole_popaware.errors import UsageError
from recbole_popaware.launch import Request, run
from recbole_popaware.trainer import read_checkpoint

STARTED = {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
STARTED |= {"MASTER_ADDR": "first", "MASTER_PORT": "29500"}
SPARSE = {"loss_type": "gBCE", "table_optimizer": "sparse_adam", "epochs": 2, "train_batch_size": 8}


@pytest.fixture
def started(monkeypatch):
    """The environment of the second process on the second machine."""
    for name, value in STARTED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_processes_are_those_that_torchrun_says(started):
    assert torchrun.has_launched()
    assert torchrun.topology(Topology()) == (Topology(4, 8, "first", 29500, 4), 1)


@pytest.mark.parametrize("missing", ["RANK", "WORLD_SIZE", "MASTER_ADDR"])
def test_without_torchrun_or_with_one_process_nothing_is_distributed(started, missing):
    started.setenv("WORLD_SIZE", "1")
    assert not torchrun.has_launched()
    started.setenv("WORLD_SIZE", "2")
    started.delenv(missing)
    assert not torchrun.has_launched()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"WORLD_SIZE": "4"}, r"WORLD_SIZE \[4\]"),
        ({"LOCAL_RANK": "4"}, r"LOCAL_RANK \[4\]"),
        ({"RANK": "0"}, r"RANK \[0\]"),
        ({"RANK": "first"}, r"RANK is \[first\]"),
        ({"MASTER_PORT": ""}, r"MASTER_PORT is \[\]"),
    ],
)
def test_an_environment_that_does_not_fit_is_one_line(started, wrong, message):
    for name, value in wrong.items():
        started.setenv(name, value)
    with pytest.raises(UsageError, match=message) as caught:
        torchrun.topology(Topology())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["--nproc=2", "--world_size=8", "--port=1", "--group_offset=4"])
def test_processes_are_started_once(started, toy, capsys, option):
    started.setattr(torchrun, "_SECONDS_FOR_THE_FIRST", 0)
    assert main(["--model=PopSASRec", option, *arguments(toy)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: torchrun has started the processes")
    assert message.count("\n") == 1


def test_a_search_is_not_for_several_processes(started, toy, capsys, tmp_path):
    (tmp_path / "space.hyper").write_text("learning_rate choice [0.001]\n")
    assert main(["--model=PopSASRec", "--params_file=space.hyper", *arguments(toy)]) == 2
    assert "one process a trial" in capsys.readouterr().err


def test_the_mean_of_rows_is_that_of_dense_gradients(monkeypatch):
    """Three processes; the second has looked up nothing, and one row is of two processes."""
    mine = [([1, 4], [[1.0, 2], [3, 4]]), ([], torch.empty(0, 2)), ([0, 1], [[5.0, 6], [7, 8]])]
    parts = [
        torch.sparse_coo_tensor([rows], torch.as_tensor(values), (6, 2)).coalesce() for rows, values in mine
    ]
    sent = {  # what all_gather has to bring, by the kind of tensor
        (torch.long, 1): [p._indices()[0] for p in parts],
        (torch.float32, 2): [p._values() for p in parts],
    }

    def all_gather(into, of_this_one):
        everybody = sent[of_this_one.dtype, of_this_one.dim()]
        if into[0].shape == (1,):
            everybody = [torch.tensor([len(rows)]) for rows in everybody]
        for target, part in zip(into, everybody):
            target[: len(part)] = part

    monkeypatch.setattr(distributed, "get_world_size", lambda: 3)
    monkeypatch.setattr(distributed, "all_gather", all_gather)
    for part in parts:
        mean = mean_of_rows(part)
        assert mean.is_coalesced()
        expected = torch.stack([p.to_dense() for p in parts]).mean(0)
        torch.testing.assert_close(mean.to_dense(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("share", [True, False])
def test_two_processes_move_tables_as_dense_ones(toy, share):
    """Every row is looked up in every step, so that Adam over rows is Adam."""
    still = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "share_embeddings": share}
    settings = {**toy, **SPARSE, **still, "train_batch_size": 64, "learning_rate": 0.01, "epochs": 6}
    ends = [trained(settings, Topology(nproc=2), table_optimizer=k) for k in ("dense", "sparse_adam")]
    for name, weight in ends[0].items():
        torch.testing.assert_close(ends[1][name], weight, atol=2e-4, rtol=1e-3, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["PopGSASRec", "PopBERT4Rec"])
def test_torchrun_trains_what_nproc_trains(toy, tmp_path, model):
    """To the last bit: two processes of one machine, and two machines of one process each."""
    settings = {**toy, **SPARSE}
    expected = trained(settings, Topology(nproc=2), model)
    for n_machines in (1, 2):
        port = ours._free_port()
        processes = [
            start(tmp_path / f"of_{n_machines}_{rank}", settings, model, *machine(n_machines, rank, port))
            for rank in range(n_machines)
        ]
        assert [finish(process)[0] for process in processes] == [0] * n_machines
        (file,) = tmp_path.glob(f"of_{n_machines}_*/saved/*.pth")  # the first process alone writes
        for name, weight in read_checkpoint(file)["state_dict"].items():
            assert torch.equal(weight, expected[name]), name


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="network namespaces are made by root")
def test_two_network_namespaces_train_what_nproc_trains(toy, tmp_path):
    """As two machines do, by addresses of their own and nothing else that they share."""
    settings = {**toy, **SPARSE}
    expected = trained(settings, Topology(nproc=2), "PopGSASRec")
    with two_hosts() as hosts:
        processes = []
        for rank, (name, interface) in enumerate(hosts):
            options = "--nnodes=2", f"--node_rank={rank}", "--nproc_per_node=1"
            meet = "--master_addr=10.77.0.1", "--master_port=29517"
            before = "ip", "netns", "exec", name, "env", f"GLOO_SOCKET_IFNAME={interface}"
            processes.append(start(tmp_path / name, settings, "PopGSASRec", *options, *meet, before=before))
        assert [finish(process)[0] for process in processes] == [0, 0]
    (file,) = tmp_path.glob("rpa*/saved/*.pth")
    for name, weight in read_checkpoint(file)["state_dict"].items():
        assert torch.equal(weight, expected[name]), name


@pytest.mark.slow
def test_a_mistake_is_reported_by_the_first_process_only(toy, tmp_path):
    options = machine(1, 0, ours._free_port(), 2)
    code, errors = finish(start(tmp_path / "here", {**toy, "dataset": "gone"}, "PopSASRec", *options))
    assert code == 1  # torchrun's for any failure of its processes
    of_ours = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(of_ours) == 1
    assert "gone.inter" in of_ours[0]


def trained(settings, topology, model="PopGSASRec", **more):
    """Weights after a training in processes that this one starts."""
    result = run(Request(model, config_dict={**settings, **more}), topology)
    return read_checkpoint(result["checkpoint"])["state_dict"]


def machine(n_machines, rank, port, nproc=None):
    """Options of torchrun for one of several machines, all of them this one."""
    nproc = 2 // n_machines if nproc is None else nproc
    options = f"--nnodes={n_machines}", f"--node_rank={rank}", f"--nproc_per_node={nproc}"
    return *options, "--master_addr=127.0.0.1", f"--master_port={port}"


def start(folder, settings, model, *options, before=()):
    """Start torchrun in a folder of its own."""
    folder.mkdir()
    command = [*before, sys.executable, "-m", "torch.distributed.run", *options, str(TRAIN)]
    return subprocess.Popen(
        [*command, f"--model={model}", *arguments(settings)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Exit code of a command and what it wrote to standard error."""
    try:
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, errors


@contextmanager
def two_hosts():
    """Two network namespaces with a cable between them: name and interface of each."""
    suffix = os.getpid() % 100_000
    hosts = [(f"rpa{n}-{suffix}", f"v{n}-{suffix}") for n in range(2)]

    def ip(*command):
        subprocess.run(["ip", *command], check=True, capture_output=True)

    made = []
    try:
        for name, _ in hosts:
            try:
                ip("netns", "add", name)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("no network namespaces can be made here")
            made.append(name)
        (one, near), (other, far) = hosts
        ip("link", "add", near, "netns", one, "type", "veth", "peer", "name", far, "netns", other)
        for n, (name, interface) in enumerate(hosts):
            ip("-n", name, "addr", "add", f"10.77.0.{n + 1}/24", "dev", interface)
            for device in (interface, "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield hosts
    finally:
        for name in made:
            ip("netns", "del", name)
