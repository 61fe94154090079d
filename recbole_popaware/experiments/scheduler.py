"""Do runs in processes of their own, several at once if asked to."""

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
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

from tqdm import tqdm

from recbole_popaware.experiments.source import child_environment
from recbole_popaware.experiments.store import RunStore

if TYPE_CHECKING:
    from recbole_popaware.experiments.runs import Run

CHILD = ("-m", f"{__package__}.worker")
_GRACE = 5.0  # seconds for a child to end by itself
_PAUSE = 0.1  # seconds between two looks at the children


@dataclass(frozen=True)
class Failure:
    """A run that did not finish: which one, and why in one line."""

    run: Run
    reason: str


@dataclass
class _Child:
    run: Run
    process: subprocess.Popen[bytes]
    log: IO[bytes]


def do_runs(runs: Sequence[Run], store: RunStore, dataset: str, jobs: int) -> list[Failure]:
    """Do runs; a failure does not stop the others.

    Args:
        runs: The runs, in the order in which they start.
        store: Where they go.
        dataset: Name of the data set.
        jobs: How many at once; the cores are shared out among them.

    Returns:
        Those that failed.

    Raises:
        KeyboardInterrupt: On Ctrl-C, SIGTERM or SIGHUP, after all children have ended.
    """
    waiting, active = list(runs), list[_Child]()
    failures: list[Failure] = []
    threads = max(1, _cores() // jobs)
    bar = tqdm(total=len(runs), unit="run", disable=None)
    with _stop_on_signals(), bar:
        try:
            while waiting or active:
                while waiting and len(active) < jobs:
                    active.append(_start(waiting.pop(0), store, dataset, threads))
                for child in [c for c in active if c.process.poll() is not None]:
                    failures += _finish(child, store)
                    active.remove(child)
                    bar.update()
                if not bar.disable:
                    bar.set_postfix_str(", ".join(_news(child, store) for child in active))
                time.sleep(_PAUSE)
        finally:
            _end(active, store)
    return failures


def _start(run: Run, store: RunStore, dataset: str, threads: int) -> _Child:
    part = store.begin(run, dataset)
    log = store.log(run).open("wb")
    words = [sys.executable, *CHILD, str(part.resolve())]
    process = subprocess.Popen(  # noqa: S603  # our own module
        words,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=child_environment(threads),
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it with all that it started
    )
    return _Child(run, process, log)


def _finish(child: _Child, store: RunStore) -> list[Failure]:
    child.log.close()
    if child.process.returncode == 0:
        store.finish(child.run)
        return []
    store.abandon(child.run)
    return [Failure(child.run, _reason(child, store))]


def _reason(child: _Child, store: RunStore) -> str:
    code = child.process.returncode
    if code < 0:
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"ended by signal {-code}{hint}"
    lines = store.log(child.run).read_text(errors="replace").splitlines()
    told = [line for line in lines if line.startswith("error: ")]
    return told[-1][len("error: ") :] if told else f"ended with exit code {code}"


def _end(children: Sequence[_Child], store: RunStore) -> None:
    for child in children:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
        _signal(child, signal.SIGKILL)
        child.process.wait()
        child.log.close()
        store.abandon(child.run)


def _signal(child: _Child, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)  # its session: data loading processes too


def _news(child: _Child, store: RunStore) -> str:
    """Say how far a run is."""
    with suppress(OSError, ValueError, IndexError):
        last = store.part(child.run).joinpath("curve.jsonl").read_text().splitlines()[-1]
        epoch = json.loads(last)
        return f"{child.run.key}: epoch {epoch['epoch']}, {epoch['score']:.4f}"
    return child.run.key


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


@contextmanager
def _stop_on_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C; under nohup, hang-ups stay ignored."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
