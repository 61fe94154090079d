"""Seconds a training step, ours beside RecTools and the published gSASRec, on the same windows; JSON lines.

    python benchmarks/originals.py atomic foursquare_nyc --gsasrec gSASRec-pytorch \
        --rectools-python rectools/bin/python

Width 64, two layers, two heads, plain networks. Every side trains in a process of its own, in turns, and
counts the CPU seconds of its steps; RecTools' contain its data loader, a small part. ``--rectools-python``
is a Python with ``rectools[torch]``, ``--gsasrec`` a checkout of what the authors of gSASRec published.
Either may be left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PLAIN = {"popularity_head": "none", "state": "ERROR", "show_progress": False, "n_heads": 2}
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "SASRec": ("PopSASRec", {"loss_type": "CE"}),
    "BERT4Rec": ("PopBERT4Rec", {"loss_type": "CE"}),
    "gSASRec": ("PopGSASRec", {}),  # negatives of a window
    "gSASRec, negatives of a target": ("PopGSASRec", {"shared_negatives": False}),
}
OTHERS = {
    "SASRec": ["rectools"],
    "BERT4Rec": ["rectools"],
    "gSASRec": ["rectools", "published"],
}


def main() -> None:
    """Measure every system on every side."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_path", type=Path, help="folder of converted data sets")
    parser.add_argument("dataset")
    parser.add_argument("--rectools-python", type=Path, metavar="PYTHON")
    parser.add_argument("--gsasrec", type=Path, metavar="FOLDER")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)  # one side and system, in this process
    parser.add_argument("--windows", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        side, system = arguments.side
        print(json.dumps(SIDES[side](system, arguments)))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Let the sides take turns, and print a line for each comparison."""
    with tempfile.TemporaryDirectory() as folder:
        windows = Path(folder, "windows.npz")
        save_windows(windows, arguments)
        for system in OURS:
            sides = ["ours", *OTHERS.get(system.split(",")[0], [])]
            if arguments.rectools_python is None and "rectools" in sides:
                sides.remove("rectools")
            if arguments.gsasrec is None and "published" in sides:
                sides.remove("published")
            seconds: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(arguments.rounds):
                for side in sides:
                    seconds[side].append(_alone(side, system, windows, arguments))
            medians = {side: statistics.median(values) for side, values in seconds.items()}
            ratios = {
                f"{s}_over_ours": round(m / medians["ours"], 2) for s, m in medians.items() if s != "ours"
            }
            print(json.dumps({"system": system, **{s: round(m, 4) for s, m in medians.items()}, **ratios}))


def _alone(side: str, system: str, windows: Path, arguments: argparse.Namespace) -> float:
    python = arguments.rectools_python if side == "rectools" else sys.executable
    command = [python, *sys.argv, "--side", side, system, "--windows", windows]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def save_windows(file: Path, arguments: argparse.Namespace) -> None:
    """Write windows of ``length + 1`` plays of the training part, oldest first, all of them full."""
    from recbole_popaware.config import Config
    from recbole_popaware.quick_start import prepare

    data = {"data_path": str(arguments.data_path), "dataset": arguments.dataset, "train_batch_size": 64}
    files = [HERE / "gts.yaml"]
    prepared = prepare(
        Config("PopSASRec", None, files, {**PLAIN, **data, "MAX_ITEM_LIST_LENGTH": arguments.length}, argv=())
    )
    rows = []
    for batch in prepared.train_data:
        inputs, following = batch["item_id_list"].numpy(), batch[prepared.config["NEXT_ITEMS_FIELD"]].numpy()
        whole = np.concatenate([inputs[:, :1], following], axis=1)
        rows.append(whole[(whole > 0).all(axis=1)])
    windows = np.concatenate(rows)
    wanted = arguments.steps * arguments.batch
    np.savez(file, windows=np.resize(windows, (wanted, windows.shape[1])), n_items=prepared.dataset.item_num)


def time_ours(system: str, arguments: argparse.Namespace) -> float:
    """CPU seconds a step of this package's model."""
    import torch
    from recbole.data.interaction import Interaction

    from recbole_popaware.config import Config
    from recbole_popaware.quick_start import prepare

    torch.set_num_threads(arguments.threads)
    windows, _ = _load(arguments)
    name, own = OURS[system]
    data = {"data_path": str(arguments.data_path), "dataset": arguments.dataset}
    settings = {**PLAIN, **own, **data, "MAX_ITEM_LIST_LENGTH": arguments.length}
    prepared = prepare(Config(name, None, [HERE / "gts.yaml"], settings, argv=()))
    model, config = prepared.model.train(), prepared.config
    optimizer = torch.optim.Adam(model.parameters())
    lengths = torch.full((arguments.batch,), arguments.length)
    batches = []
    for rows in torch.from_numpy(windows).split(arguments.batch):
        following = {} if system == "BERT4Rec" else {config["NEXT_ITEMS_FIELD"]: rows[:, 1:]}
        batches.append(
            Interaction(
                {"item_id_list": rows[:, :-1], "item_length": lengths, "item_id": rows[:, -1], **following}
            )
        )

    def step(batch: Any) -> None:
        optimizer.zero_grad()
        model.calculate_loss(batch).backward()
        optimizer.step()

    torch.autograd.set_detect_anomaly(False)  # RecBole's SINE turns it on
    return _seconds(step, batches)


def time_published(system: str, arguments: argparse.Namespace) -> float:
    """CPU seconds a step of the program that gSASRec's authors published."""
    import torch

    sys.path.insert(0, str(arguments.gsasrec))
    from gbce import gBCE
    from gsasrec import GSASRec

    torch.set_num_threads(arguments.threads)
    windows, n_items = _load(arguments)
    model = GSASRec(n_items - 1, arguments.length, 64, num_heads=2, num_blocks=2, dropout_rate=0.2).train()
    loss_of, optimizer = gBCE(n_items - 2, 256, 0.75), torch.optim.Adam(model.parameters())

    def step(rows: Any) -> None:
        negatives = torch.randint(1, n_items, (len(rows), arguments.length, 256))
        hidden, _ = model(rows[:, :-1])
        candidates = torch.cat([rows[:, 1:].unsqueeze(-1), negatives], dim=-1)
        scores = torch.einsum("bld,blnd->bln", hidden, model.item_embedding(candidates))
        truth = torch.zeros_like(scores)
        truth[:, :, 0] = 1
        loss_of(scores, truth).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return _seconds(step, torch.from_numpy(windows).split(arguments.batch))


def time_rectools(system: str, arguments: argparse.Namespace) -> float:
    """CPU seconds a step of RecTools' model, as Lightning trains it."""
    import pandas as pd
    import torch
    from pytorch_lightning import Callback, Trainer
    from rectools.dataset import Dataset
    from rectools.models import BERT4RecModel, SASRecModel

    torch.set_num_threads(arguments.threads)
    windows, _ = _load(arguments)

    ends: list[float] = []

    class Clock(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            ends.append(time.process_time())

    def trainer() -> Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        return Trainer(
            max_epochs=1, enable_checkpointing=False, accelerator="cpu", callbacks=[Clock()], **quiet
        )

    users = np.repeat(np.arange(len(windows)), windows.shape[1])
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        np.tile(np.arange(windows.shape[1]), len(windows)), "h"
    )
    plays = pd.DataFrame({"user_id": users, "item_id": windows.ravel(), "weight": 1.0, "datetime": times})
    loss = {"loss": "gBCE", "n_negatives": 256} if system.startswith("gSASRec") else {"loss": "softmax"}
    kind, more = (BERT4RecModel, {"mask_prob": 0.2}) if system == "BERT4Rec" else (SASRecModel, {})
    model = kind(
        n_blocks=2,
        n_heads=2,
        n_factors=64,
        session_max_len=arguments.length,
        batch_size=arguments.batch,
        train_min_user_interactions=2,
        get_trainer_func=trainer,
        dataloader_num_workers=0,
        **loss,
        **more,
    )
    model.fit(Dataset.construct(plays))
    return (ends[-1] - ends[SKIPPED - 1]) / (len(ends) - SKIPPED)


SKIPPED = 5  # first steps, which warm up
SIDES: dict[str, Callable[[str, argparse.Namespace], float]] = {
    "ours": time_ours,
    "published": time_published,
    "rectools": time_rectools,
}


def _load(arguments: argparse.Namespace) -> tuple[np.ndarray, int]:
    with np.load(arguments.windows) as saved:
        return saved["windows"], int(saved["n_items"])


def _seconds(step: Callable[[Any], None], batches: Any) -> float:
    for batch in batches[:SKIPPED]:
        step(batch)
    start = time.process_time()
    for batch in batches[SKIPPED:]:
        step(batch)
    return (time.process_time() - start) / len(batches[SKIPPED:])


if __name__ == "__main__":
    main()
