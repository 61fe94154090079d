"""What a catalogue of millions costs: the sub-command ``catalogue`` of efficiency.py, a JSON line each."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure_training import (
    Settings,
    _alone,
    _experiment,
    _extra_memory,
    _memory,
    _report,
    _seconds,
    _trainer,
    _write_log,
)

LOG = {"users": 1_000, "plays": 3_600}  # plays enough for every item of the largest catalogue
TRAINING = {"MAX_ITEM_LIST_LENGTH": 150, "train_batch_size": 64, "negatives": 256, "shared_negatives": True}
CASES: tuple[Settings, ...] = (
    {"loss_type": "gBCE", "table_optimizer": "sparse_adam"},
    {"loss_type": "SampledCE", "table_optimizer": "sparse_adam"},
    {"loss_type": "gBCE", "table_optimizer": "sparse_adagrad"},
    {"loss_type": "gBCE", "table_optimizer": "dense"},
)
ITEMS_AT_ONCE = 1 << 16  # of the bare product


def add_command(commands: Any) -> None:
    """Add ``catalogue`` to the command line."""
    command = commands.add_parser("catalogue", help="a step and a ranking: many items against few")
    command.add_argument("--threads", type=int, default=2, help="threads of PyTorch")
    command.add_argument("--items", type=int, nargs=2, default=[30_000, 3_000_000], help="few and many")
    command.add_argument("--steps", type=int, default=12, help="steps of each side, in turns")
    command.set_defaults(run=catalogue)


def catalogue(arguments: argparse.Namespace) -> None:
    """Compare a training step over many items with one over few, and a ranking with the bare product."""
    with tempfile.TemporaryDirectory() as folder:
        for items in arguments.items:
            Path(folder, str(items)).mkdir()
            _write_log(Path(folder, str(items)), {**LOG, "items": items})
        for case in CASES:
            settings = {**TRAINING, **case}
            few, many = _alone(_step_times, arguments, folder, arguments.items, settings, arguments.steps)
            _report(
                benchmark="catalogue",
                **case,
                items=arguments.items,
                step_s=[round(few, 4), round(many, 4)],
                time_ratio=round(many / few, 2),
            )
        of_many = _alone(_ranking, arguments, str(Path(folder, str(arguments.items[1]))))
        _report(
            benchmark="catalogue", case="top 100", users=LOG["users"], items=arguments.items[1], **of_many
        )


def _step_times(folder: str, sizes: list[int], settings: Settings, n_steps: int) -> list[float]:
    """Median seconds of a step over each catalogue, in turns, without the first two, which make the state."""
    sides = [_steps({**settings, **_files(Path(folder, str(items)))}) for items in sizes]
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(n_steps + 2):
        for side, times in zip(sides, taken):
            times.append(next(side))
    return [statistics.median(times[2:]) for times in taken]


def _steps(settings: Settings) -> Iterator[float]:
    """Seconds of each step that the trainer's optimiser makes, the loader's included."""
    experiment = _experiment({"model": "PopGSASRec", **settings})
    model, optimizer = experiment.model.train(), _trainer(experiment).optimizer
    while True:
        batches, start = iter(experiment.train_data), time.perf_counter()
        for batch in batches:
            optimizer.zero_grad()
            model.calculate_loss(batch).backward()
            optimizer.step()
            yield time.perf_counter() - start
            start = time.perf_counter()


def _ranking(folder: str) -> dict[str, Any]:
    """Seconds of an evaluation with lists of 100, and of nothing but the product with the table and topk."""
    more = {"loss_type": "gBCE", "topk": [100], "valid_metric": "NDCG@100"}
    experiment = _experiment({"model": "PopGSASRec", **TRAINING, **more, **_files(Path(folder))})
    trainer, model = _trainer(experiment), experiment.model.eval()
    trainer.eval_collector.data_collect(experiment.train_data)
    hidden, table = _hidden(experiment), model.item_embedding.weight.detach()
    _, extra = _extra_memory(lambda: trainer.evaluate(experiment.test_data, load_best_model=False))
    ours, bare = [], []
    for _ in range(3):
        ours.append(_seconds(lambda: trainer.evaluate(experiment.test_data, load_best_model=False)))
        bare.append(_seconds(lambda: _bare(hidden, table)))
    return {
        "evaluation_s": round(statistics.median(ours), 2),
        "bare_s": round(statistics.median(bare), 2),
        "time_ratio": round(statistics.median(ours) / statistics.median(bare), 2),
        "evaluation_mb": round(extra),
        "peak_mb": round(_memory("VmHWM")),
    }


def _hidden(experiment: Any) -> Any:
    import torch

    with torch.no_grad():
        return torch.cat([experiment.model.last_hidden(batch[0]) for batch in experiment.test_data])


def _bare(hidden: Any, table: Any) -> Any:
    """The 100 best items of each row, block by block of the items."""
    import torch

    values = items = None
    for start in range(0, len(table), ITEMS_AT_ONCE):
        best, index = (hidden @ table[start : start + ITEMS_AT_ONCE].T).topk(100)
        index += start
        if values is not None:
            best, index = torch.cat([values, best], 1), torch.cat([items, index], 1)
        values, order = best.topk(100)
        items = index.gather(1, order)
    return items


def _files(folder: Path) -> Settings:
    """Where a side reads and writes."""
    return {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "tensorboard_dir": str(folder / "curves"),
    }
