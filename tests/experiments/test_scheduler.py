"""The scheduler with small programs, which take no time, in place of trainings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from recbole_popaware.experiments import scheduler
from recbole_popaware.experiments.plan import System
from recbole_popaware.experiments.runs import Run
from recbole_popaware.experiments.scheduler import do_runs
from recbole_popaware.experiments.source import child_environment
from recbole_popaware.experiments.store import RunStore, write_json

FINISH = """
import json, os, sys, time
os.chdir(sys.argv[1])
job = json.load(open("job.json"))
says = job["settings"]["says"]
print("hello from", says)
"""
BEHAVIOUR = {
    "fine": "",
    "broken": "print('error: it is broken', file=sys.stderr); sys.exit(1)",
    "killed": "os.kill(os.getpid(), 9)",
    "mute": "sys.exit(3)",
    "slow": "open('started', 'w').close(); time.sleep(60)",
    "short": "time.sleep(0.5)",
}
LAST = "json.dump({'fingerprint': job['fingerprint']}, open('result.json', 'w'))"


@pytest.fixture
def store(tmp_path, monkeypatch):
    lines = [f"if says == {name!r}:\n    {code or 'pass'}\n" for name, code in BEHAVIOUR.items()]
    program = FINISH + "".join(lines) + LAST
    monkeypatch.setattr(scheduler, "WORKER", ("-c", program))
    return RunStore(tmp_path / "out", "digest")


def run_of(name, says="fine", seed=1):
    settings = {"says": says}
    return Run(System(name, "M", {}), seed, settings, settings)


def leftovers(store):
    return [path for path in store.output.rglob("*") if path.name.endswith(".part")]


def test_runs_finish_and_are_known_to_have(store):
    runs = [run_of("A"), run_of("A", seed=2), run_of("B")]
    assert do_runs(runs, store, "toy", jobs=1) == []
    assert all(store.is_finished(run) for run in runs)
    assert sorted(p.name for p in store.folder(runs[0]).parent.iterdir()) == ["A.1", "A.2", "B.1"]
    assert "hello from fine" in store.log(runs[0]).read_text()
    assert not leftovers(store)


def test_other_settings_or_other_data_are_another_run(store, tmp_path):
    run = run_of("A")
    do_runs([run], store, "toy", jobs=1)
    assert not store.is_finished(replace(run, effective={"says": "other"}))
    assert not RunStore(tmp_path / "out", "other digest").is_finished(run)
    (store.folder(run) / "result.json").write_text("{")
    assert not store.is_finished(run)


@pytest.mark.parametrize(
    ("says", "reason"),
    [("broken", "it is broken"), ("killed", "signal 9 (out of memory?)"), ("mute", "exit code 3")],
)
def test_one_failure_does_not_stop_the_others(store, says, reason):
    bad, good = run_of("Bad", says), run_of("Good")
    (failure,) = do_runs([bad, good], store, "toy", jobs=1)
    assert failure.run == bad
    assert reason in failure.reason
    assert store.is_finished(good)
    assert not store.is_finished(bad)
    assert store.log(bad).is_file()
    assert not leftovers(store)


def test_old_numbers_are_not_taken_for_those_of_a_failed_run(store):
    good = run_of("A")
    do_runs([good], store, "toy", jobs=1)
    do_runs([replace(good, settings={"says": "broken"})], store, "toy", jobs=1)
    assert not store.is_finished(good)


def test_several_jobs_run_at_once(store):
    runs = [run_of(name, "short") for name in "ABCD"]
    started = time.monotonic()
    assert do_runs(runs, store, "toy", jobs=4) == []
    assert time.monotonic() - started < 4 * 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_ends_the_children_and_leaves_nothing(store, number):
    """In a process of its own, as Ctrl-C would end the tests too."""
    program = f"""
import signal, sys
from pathlib import Path
from types import SimpleNamespace
from recbole_popaware.experiments import scheduler

signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit that it is ignored

def run_of(name, says):
    system = SimpleNamespace(model="M")
    return SimpleNamespace(key=name, system=system, settings={{"says": says}}, fingerprint=str)

scheduler.WORKER = {scheduler.WORKER!r}
store = scheduler.RunStore(Path({str(store.output)!r}), "digest")
try:
    runs = [run_of("Done", "fine"), run_of("Slow", "slow"), run_of("Never", "fine")]
    scheduler.do_runs(runs, store, "toy", 1)
except KeyboardInterrupt:
    sys.exit(130)
"""
    process = subprocess.Popen([sys.executable, "-c", program], env=child_environment())
    mark = store.output / "runs" / "Slow.part" / "started"
    while not mark.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(20) == 130
    assert [path.name for path in (store.output / "runs").iterdir()] == ["Done"]


def test_threads_are_shared_out(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    environment = child_environment(threads=2)
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "2"
    assert environment["PYTHONPATH"].endswith(f"{os.pathsep}elsewhere")


@pytest.mark.parametrize(("wanted", "threads"), [("3", 3), ("", 2), ("0", 2), ("4,2", 2), (None, 2)])
def test_the_user_may_say_how_many_threads_a_run_has(monkeypatch, wanted, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert scheduler.threads_of_each(2) == threads
    assert scheduler.threads_of_each(8) == (3 if wanted == "3" else 1)


def test_json_has_null_for_what_is_undefined(tmp_path):
    write_json(tmp_path / "x.json", {"a": [float("nan"), 1.5], "b": {"c": (float("inf"),)}})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [None, 1.5], "b": {"c": [None]}}
