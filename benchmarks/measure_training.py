"""How fast the head, training and evaluation are: sub-commands of efficiency.py, a JSON line each."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

Settings = dict[str, Any]

HEAD = {"batch": 32, "length": 150, "items": 30_000, "candidates": 257}
CE_NEXT = {"items": 30_000, "MAX_ITEM_LIST_LENGTH": 50, "train_batch_size": 256, "train_targets": "next"}
GBCE_ALL = {
    **{"items": 30_000, "MAX_ITEM_LIST_LENGTH": 150, "train_batch_size": 64},
    **{"loss_type": "gBCE", "negatives": 256, "shared_negatives": "window"},
}
LONG = {**GBCE_ALL, "users": 64, "plays": 10_000}
GBCE = {"loss_type": "gBCE", "negatives": 256}
SAME_WIDTH = {"items": 5_000, "MAX_ITEM_LIST_LENGTH": 50, "hidden_size": 64, "n_layers": 2, "inner_size": 256}


def add_commands(commands: Any) -> None:
    """Add ``head``, ``train``, ``evaluate`` and ``reach`` to the command line."""
    for run, text in (
        (head, "time and memory of the popularity head, and of whole histories"),
        (train, "what the head costs in training, and targets trained a second"),
        (evaluate, "users ranked a second over the whole catalogue"),
        (reach, "time to the NDCG@10 that stock SASRec has after 3 epochs on foursquare_nyc"),
    ):
        command = commands.add_parser(run.__name__, help=text)
        command.add_argument("--threads", type=int, default=2, help="threads of PyTorch")
        if run is reach:
            command.add_argument("--data-path", required=True, help="folder of the converted foursquare_nyc")
        command.set_defaults(run=run)


def head(arguments: argparse.Namespace) -> None:
    """Compare the sorted search with the dense formula, and whole histories with windows."""
    dense, sparse = (_alone(_measure_head, arguments, side) for side in ("dense", "sparse"))
    same = float(np.abs(dense.pop("scores") - sparse.pop("scores")).max())
    _report(
        benchmark="head",
        **HEAD,
        dense=dense,
        ours=sparse,
        faster=round(dense["seconds"] / sparse["seconds"], 1),
        less_memory=round(dense["extra_mb"] / sparse["extra_mb"], 1),
        largest_difference=same,
    )
    for name, more in (("counts", {}), ("learned", {"pps_learn": ["alpha", "eps", "d"]})):
        sides = [{**LONG, **more, "pps_history": h} for h in ("window", "full")]
        _report(benchmark="head", histories=10_000, head=name, **_compare_steps(arguments, sides))


def train(arguments: argparse.Namespace) -> None:
    """Compare training with the head on and off, and ours with stock."""
    for name, case in (("CE/next", CE_NEXT), ("gBCE/all", GBCE_ALL)):
        sides = [{**case, "popularity_head": form} for form in ("none", "auto")]
        _report(benchmark="train", case=name, head_off_against_on=_compare_steps(arguments, sides))
    _report(benchmark="train", case="gBCE/all, popularity_head: replay", **_alone(_replay_epochs, arguments))
    stock = _alone(_targets_per_second, arguments, {**SAME_WIDTH, "model": "SASRec", "train_batch_size": 512})
    _report(benchmark="train", case="stock SASRec", targets_per_second=round(stock))
    for name, more in (
        ("gBCE, 256 negatives a batch", GBCE),
        ("gBCE, 256 negatives a window", {**GBCE, "shared_negatives": "window"}),
        ("gBCE, 256 negatives a target", {**GBCE, "shared_negatives": False}),
        ("CE", {}),
    ):
        rate = _alone(_targets_per_second, arguments, {**SAME_WIDTH, **more})
        _report(
            benchmark="train", case=name, targets_per_second=round(rate), against_stock=round(rate / stock, 1)
        )


def evaluate(arguments: argparse.Namespace) -> None:
    """Rank the whole catalogue for all users, stock SASRec and ours, in turns."""
    rates = _alone(_users_per_second, arguments, {"items": 30_000, "users": 2_000, "plays": 60})
    _report(benchmark="evaluate", **rates, ours_against_stock=round(rates["PopSASRec"] / rates["SASRec"], 2))


def reach(arguments: argparse.Namespace) -> None:
    """Train until validation NDCG@10 is that of stock's third epoch, leave-one-out."""
    data = {"data_path": arguments.data_path, "dataset": "foursquare_nyc", "MAX_ITEM_LIST_LENGTH": 30}
    stock = _alone(_train_until, arguments, {**data, "model": "SASRec", "epochs": 3})
    _report(benchmark="reach", model="SASRec", **stock)
    for form, rate, batch in (("auto", 0.001, 64), ("auto", 0.003, 16), ("none", 0.003, 16)):
        ours = {"popularity_head": form, "learning_rate": rate, "train_batch_size": batch}
        goal = {"goal": stock["best"], "epochs": 60}
        result = _alone(_train_until, arguments, {**data, **ours, **goal})
        ratio = round(stock["seconds"] / result["seconds"], 1) if result["reached"] else None
        _report(benchmark="reach", model="PopSASRec", **ours, **result, faster=ratio)


def _alone(measure: Callable[..., Any], arguments: argparse.Namespace, *args: Any) -> Any:
    """Measure in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_with_threads, arguments.threads, measure, args).result()


def _with_threads(threads: int, measure: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return measure(*args)


def _measure_head(side: str) -> dict[str, Any]:
    import torch

    from recbole_popaware.model.popularity_head import PopularityHead
    from recbole_popaware.model.reference import count_plays, head_scores
    from recbole_popaware.plays.play_index import PlayIndex, Queries

    batch, length, items, width = HEAD.values()
    own = torch.randint(1, items, (batch, 60))
    windows = own.gather(1, torch.randint(60, (batch, length)))
    candidates = torch.randint(1, items, (batch * length, width))
    candidates[:, 0] = windows.roll(-1, 1).flatten()  # the targets repeat, as targets do

    def sparse() -> Any:
        plays = PlayIndex.of_windows(windows, items)
        queries = Queries(torch.arange(batch).repeat_interleave(length), torch.arange(batch * length) + 1)
        return PopularityHead(items, "sigmoid").candidates(plays, queries, candidates)

    def dense() -> Any:
        counts = count_plays(windows, items, torch.float32)
        scores = head_scores(counts, counts, "sigmoid", 0.01)
        return scores.gather(2, candidates.view(batch, length, width)).flatten(0, 1)

    compute = {"sparse": sparse, "dense": dense}[side]
    with torch.no_grad():
        scores, extra = _extra_memory(compute)
        seconds = min(_seconds(compute) for _ in range(5))
    return {"seconds": round(seconds, 4), "extra_mb": round(extra, 1), "scores": scores.numpy()}


def _compare_steps(arguments: argparse.Namespace, sides: list[Settings]) -> dict[str, Any]:
    """Ratio of two sides' step times (in turns, in one process) and of their peaks of memory."""
    times = _alone(_step_times, arguments, sides)
    peaks = [_alone(_step_peak, arguments, side) for side in sides]
    return {
        "step_s": [round(t, 4) for t in times],
        "time_ratio": round(times[1] / times[0], 3),
        "peak_mb": [round(p) for p in peaks],
        "memory_ratio": round(peaks[1] / peaks[0], 3),
    }


def _step_times(sides: list[Settings], n_steps: int = 12) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder), sides[0])
        steps = [_steps({**side, "data_path": folder}) for side in sides]
        for step in steps:
            next(step), next(step)
        taken: list[list[float]] = [[], []]
        for _ in range(n_steps):
            for step, times in zip(steps, taken):
                times.append(next(step)[0])
    return [statistics.median(times) for times in taken]


def _replay_epochs(n_epochs: int = 3) -> dict[str, Any]:
    """Seconds of an epoch with the head off and with the replay head, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder), GBCE_ALL)
        sides = [{**GBCE_ALL, "popularity_head": head, "data_path": folder} for head in ("none", "replay")]
        experiments = [_experiment(side) for side in sides]
        taken: list[list[float]] = [[], []]
        for _ in range(n_epochs + 1):  # the first one computes the features of requests
            for experiment, seconds in zip(experiments, taken):
                steps = _steps_of(experiment)
                seconds.append(sum(next(steps)[0] for _ in range(len(experiment.train_data))))
    off, on = (statistics.median(seconds[1:]) for seconds in taken)
    n_batches = [len(experiment.train_data) for experiment in experiments]
    return {"epoch_s": [round(off, 2), round(on, 2)], "batches": n_batches, "time_ratio": round(on / off, 3)}


def _step_peak(side: Settings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder), side)
        steps = _steps({**side, "data_path": folder})
        for _ in range(4):
            next(steps)
    return _memory("VmHWM")


def _targets_per_second(side: Settings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder), side)
        steps = _steps({**side, "data_path": folder})
        next(steps), next(steps)
        taken = [next(steps) for _ in range(12)]
    return sum(targets for _, targets in taken) / sum(seconds for seconds, _ in taken)


def _steps(settings: Settings) -> Iterator[tuple[float, int]]:
    """Train step by step: seconds, the loader's included, and targets of each."""
    yield from _steps_of(_experiment(settings))


def _steps_of(experiment: Any) -> Iterator[tuple[float, int]]:
    import torch

    model, following = experiment.model.train(), experiment.config["NEXT_ITEMS_FIELD"]
    optimizer = torch.optim.Adam(model.parameters())
    stock = experiment.config["model"] == "SASRec"  # as RecBole trains: its SINE turns this search on
    batches = (batch for _ in cycle([0]) for batch in experiment.train_data)
    while True:
        start = time.perf_counter()
        batch = next(batches)
        with torch.autograd.set_detect_anomaly(stock):
            optimizer.zero_grad()
            model.calculate_loss(batch).backward()
            optimizer.step()
        targets = int((batch[following] > 0).sum()) if following in batch else len(batch)
        yield time.perf_counter() - start, targets


def _users_per_second(settings: Settings) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        _write_log(Path(folder), settings)
        sides = {name: _experiment({"model": name, "data_path": folder}) for name in ("SASRec", "PopSASRec")}
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(5):
            for name, experiment in sides.items():
                seconds = _seconds(
                    lambda e=experiment: _trainer(e).evaluate(e.test_data, load_best_model=False)
                )
                rates[name].append(len(experiment.test_data.dataset) / seconds)
    return {name: round(statistics.median(of_side)) for name, of_side in rates.items()}


def _train_until(settings: Settings) -> dict[str, Any]:
    """Train, at most to ``goal``; seconds are those of training, without validation."""
    goal, curve = settings.pop("goal", 1.0), []
    experiment = _experiment(settings)
    trainer = _trainer(experiment)
    trainer.eval_collector.data_collect(experiment.train_data)
    seconds = 0.0
    for epoch in range(settings["epochs"]):
        seconds += _seconds(partial(trainer._train_epoch, experiment.train_data, epoch))
        curve.append(round(float(trainer._valid_epoch(experiment.valid_data)[0]), 4))
        if curve[-1] >= goal:
            break
    return {
        "seconds": round(seconds, 1),
        "best": max(curve),
        "reached": max(curve) >= goal,
        "curve": curve,
    }


def _experiment(settings: Settings) -> Any:
    from recbole_popaware.config import Config
    from recbole_popaware.quick_start import prepare

    properties = {k: v for k, v in settings.items() if k not in ("model", "items", "users", "plays")}
    properties = {"dataset": "log", "state": "ERROR", "show_progress": False, **properties}
    return prepare(Config(settings.get("model", "PopSASRec"), config_dict=properties, argv=()))


def _trainer(experiment: Any) -> Any:
    from recbole_popaware.utils import get_trainer

    trainer = get_trainer(experiment.config["MODEL_TYPE"], experiment.config["model"])
    return trainer(experiment.config, experiment.model)


def _write_log(folder: Path, settings: Settings) -> None:
    """Write a log of users who replay 60 items of their own in seven of ten plays; all items occur."""
    n_users, n_plays, n_items = settings.get("users", 400), settings.get("plays", 300), settings["items"]
    generator = np.random.default_rng(1)
    own = generator.integers(n_items, size=(n_users, 60))
    items = np.take_along_axis(own, generator.integers(60, size=(n_users, n_plays)), axis=1)
    other = generator.integers(n_items, size=items.shape)
    items = np.where(generator.random(items.shape) < 0.7, items, other)
    items.flat[generator.choice(items.size, n_items, replace=False)] = np.arange(n_items)
    file = folder / "log" / "log.inter"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as out:
        out.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, row in enumerate(items):
            out.writelines(f"u{user}\ti{item}\t{10**9 + 60 * n}\n" for n, item in enumerate(row))


def _extra_memory(compute: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and how far its computation raised the peak of memory, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    result = compute()
    return result, _memory("VmHWM") - before


def _seconds(compute: Callable[[], Any]) -> float:
    start = time.perf_counter()
    compute()
    return time.perf_counter() - start


def _memory(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind + ":"))


def _report(**values: Any) -> None:
    import torch

    where = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    print(json.dumps({**values, **where}), flush=True)
