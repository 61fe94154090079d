"""What a log of some size costs: each step of the way, to be measured in a process of its own (growth.py)."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from measure_training import _experiment, _memory, _trainer

NAME = "log"
TOPK = 10


@dataclass(frozen=True)
class Task:
    """What is done with one log.

    Attributes:
        folder: Where its files are.
        source: The converter that reads it.
        settings: Properties of the model beside those below.
        steps: Training steps.
        evaluated: Most users that are evaluated.
        listed: Most users who get lists.
    """

    folder: Path
    source: str
    settings: dict[str, Any]
    steps: int
    evaluated: int
    listed: int

    @property
    def properties(self) -> dict[str, Any]:
        """All that the model is told."""
        return {
            "model": "PopSASRec",
            "dataset": NAME,
            "data_path": str(self.folder / "data"),
            "checkpoint_dir": str(self.folder / "saved"),
            "tensorboard_dir": str(self.folder / "curves"),
            "eval_args": {"split": {"GTS": [0.8, 0.1, 0.1]}, "order": "TO", "mode": "full"},
            "valid_users": self.evaluated,
            "loss_type": "gBCE",
            "negatives": 256,
            "table_optimizer": "sparse_adam",
            "MAX_ITEM_LIST_LENGTH": 50,
            "train_batch_size": 64,
            **self.settings,
        }


def convert(task: Task) -> dict[str, Any]:
    """Convert the raw log; disk is what its folder held at most beside the raw log."""
    from dataset_converters import convert

    raw, data = task.folder / "raw", task.folder / "data"
    with _measured() as measured, _disk(data) as peak:
        path = raw / "listens.parquet" if task.source == "yambda" else raw
        made = convert(task.source, path, data, name=NAME, binary_only=True)
    figures = {key: made.statistics[key] for key in ("users", "items", "plays")}
    size = (data / NAME / f"{NAME}.inter.arrow").stat().st_size
    most = made.statistics["plays_per_user"]["max"]
    return {
        **measured,
        **figures,
        "most_plays": most,
        "disk_mb": round(peak[0] / 1e6, 3),
        "file_mb": round(size / 1e6, 3),
    }


def load(task: Task) -> dict[str, Any]:
    """From the converted log to the first training batch."""
    from recbole_popaware.config import Config
    from recbole_popaware.data.utils import create_dataset, data_preparation
    from recbole_popaware.utils import get_model

    get_model("SASRec")  # imports all of RecBole's models
    properties = {**task.properties, "state": "ERROR"}
    with _measured() as measured:
        config = Config(properties.pop("model"), config_dict=properties, argv=())
        next(iter(data_preparation(config, create_dataset(config))[0]))
    return measured


def step(task: Task) -> dict[str, Any]:
    """Train, and save the model for :func:`recommend`; the first two steps make the optimiser's state."""
    import torch

    with _prepared(task) as (experiment, trainer, measured), torch.autograd.set_detect_anomaly(False):
        model, walls, cpus = experiment.model.train(), [], []
        batches = (batch for _ in iter(int, 1) for batch in experiment.train_data)
        start, cpu = time.perf_counter(), time.process_time()
        for batch in islice(batches, task.steps + 2):
            trainer.optimizer.zero_grad()
            model.calculate_loss(batch).backward()
            trainer.optimizer.step()
            walls.append(time.perf_counter() - start)
            cpus.append(time.process_time() - cpu)
            start, cpu = time.perf_counter(), time.process_time()
        measured["all_steps_s"] = round(sum(walls), 1)
    trainer._save_checkpoint(0, verbose=False, saved_model_file=task.folder / "saved" / "model.pth")
    measured["seconds"] = round(statistics.median(walls[2:]), 4)
    measured["cpu_s"] = round(statistics.median(cpus[2:]), 4)
    return {**measured, "slowest_s": round(max(walls[2:]), 4), "slowest_cpu_s": round(max(cpus[2:]), 4)}


def evaluate(task: Task) -> dict[str, Any]:
    """Rank the whole catalogue for the validated users."""
    with _prepared(task) as (experiment, trainer, measured):
        trainer.eval_collector.data_collect(experiment.train_data)
        start, cpu = time.perf_counter(), time.process_time()
        trainer.evaluate(experiment.valid_data, load_best_model=False)
        measured["seconds"] = round(time.perf_counter() - start, 2)
        measured["cpu_s"] = round(time.process_time() - cpu, 2)
    return {**measured, "evaluated": len(experiment.valid_data.dataset)}


def recommend(task: Task) -> dict[str, Any]:
    """Write lists of some users from the saved model, loading included."""
    from recbole_popaware.recommending.options import Options
    from recbole_popaware.recommending.parts import write_lists
    from recbole_popaware.recommending.recommender import Recommender

    with _measured() as measured:
        options = Options()
        made = Recommender(task.folder / "saved" / "model.pth", TOPK, options)
        users = [str(name) for name in made.listeners.names[1 : 1 + task.listed]]
        listed = write_lists(made, users, task.folder / "lists.parquet", options).users
    return {**measured, "listed": listed}


STAGES: dict[str, Callable[[Task], dict[str, Any]]] = {
    stage.__name__: stage for stage in (convert, load, step, evaluate, recommend)
}


@contextmanager
def _measured() -> Iterator[dict[str, Any]]:
    """Seconds, resident memory at its peak, and how much of it came on top of what was imported."""
    figures: dict[str, Any] = {}
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before, start, cpu = _memory("VmRSS"), time.perf_counter(), time.process_time()
    yield figures
    times = {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    peak = _memory("VmHWM")
    mine = {**times, "peak_mb": peak, "added_mb": peak - before}
    figures.update({**{key: round(value, 2) for key, value in mine.items()}, **figures})


@contextmanager
def _prepared(task: Task) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """A model with its data and trainer, all made in the measured span."""
    import recbole_popaware.quick_start  # noqa: F401  # imported before memory is measured
    from recbole_popaware.utils import get_model

    get_model("SASRec")
    with _measured() as measured:
        experiment = _experiment(task.properties)
        yield experiment, _trainer(experiment), measured


@contextmanager
def _disk(folder: Path) -> Iterator[list[int]]:
    """The most bytes that a folder holds in the meantime, looked up five times a second."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            peak[0] = max(peak[0], _size(folder))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak[0] = max(peak[0], _size(folder))


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        try:
            size += 512 * path.lstat().st_blocks
        except FileNotFoundError:  # it was temporary
            continue
    return size
