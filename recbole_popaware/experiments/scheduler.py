"""Start a process for each run (``worker.py``), several at once if asked to, and wait for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

from tqdm import tqdm

from recbole_popaware.experiments.source import child_environment
from recbole_popaware.experiments.store import RunStore

if TYPE_CHECKING:
    from recbole_popaware.experiments.runs import Run

WORKER = ("-m", f"{__package__}.worker")
_GRACE = 5.0  # seconds for a worker to end by itself
_PAUSE = 0.1  # seconds between two looks at the workers


@dataclass(frozen=True)
class Failure:
    """A run that did not finish.

    Attributes:
        run: Which one.
        reason: Why, in one line.
        log: The file with all that it printed.
    """

    run: Run
    reason: str
    log: Path


@dataclass
class _Worker:
    run: Run
    process: subprocess.Popen[bytes]
    log: IO[bytes]


def do_runs(runs: Sequence[Run], store: RunStore, dataset: str, jobs: int) -> list[Failure]:
    """Do runs; a failure does not stop the others.

    Args:
        runs: The runs, in the order in which they start.
        store: The output folder.
        dataset: Name of the data set.
        jobs: How many at once; the cores are shared out among them.

    Returns:
        Those that failed.

    Raises:
        KeyboardInterrupt: On Ctrl-C, SIGTERM or SIGHUP, after all workers have ended.
    """
    waiting, active = list(runs), list[_Worker]()
    failures: list[Failure] = []
    threads = threads_of_each(jobs)
    bar = tqdm(total=len(runs), unit="run", disable=None)
    with _stop_on_signals(), bar:
        try:
            while waiting or active:
                while waiting and len(active) < jobs:
                    active.append(_start(waiting.pop(0), store, dataset, threads))
                for worker in [w for w in active if w.process.poll() is not None]:
                    failures += _finish(worker, store)
                    active.remove(worker)
                    bar.update()
                if not bar.disable:
                    bar.set_postfix_str(", ".join(_progress(worker, store) for worker in active))
                time.sleep(_PAUSE)
        finally:
            _end(active, store)
    return failures


def _start(run: Run, store: RunStore, dataset: str, threads: int) -> _Worker:
    part = store.begin(run, dataset)
    log = store.log(run).open("wb")
    command = [sys.executable, *WORKER, str(part.resolve())]
    process = subprocess.Popen(  # noqa: S603  # our own module
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=child_environment(threads),
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it with all that it started
    )
    return _Worker(run, process, log)


def _finish(worker: _Worker, store: RunStore) -> list[Failure]:
    worker.log.close()
    if worker.process.returncode == 0:
        store.finish(worker.run)
        return []
    store.abandon(worker.run)
    log = store.log(worker.run)
    return [Failure(worker.run, _reason(worker.process.returncode, log), log)]


def _reason(code: int, log: Path) -> str:
    """Why a worker ended: its signal, the last line that names an error, or its exit code."""
    if code < 0:
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"ended by signal {-code}{hint}"
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1][len("error: ") :] if errors else f"ended with exit code {code}"


def _end(workers: Sequence[_Worker], store: RunStore) -> None:
    for worker in workers:
        _signal(worker, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    for worker in workers:
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        _signal(worker, signal.SIGKILL)
        worker.process.wait()
        worker.log.close()
        store.abandon(worker.run)


def _signal(worker: _Worker, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.process.pid, number)  # its session: data loading processes too


def _progress(worker: _Worker, store: RunStore) -> str:
    """Say how far a run is."""
    with suppress(OSError, ValueError, IndexError):
        last = store.part(worker.run).joinpath("curve.jsonl").read_text().splitlines()[-1]
        epoch = json.loads(last)
        return f"{worker.run.key}: epoch {epoch['epoch']}, {epoch['score']:.4f}"
    return worker.run.key


def threads_of_each(jobs: int) -> int:
    """Threads of each of some runs at once: ``OMP_NUM_THREADS``, else its share of the cores we may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    return max(1, cores // jobs)


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C; under nohup, hang-ups stay ignored."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
