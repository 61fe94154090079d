"""The process of one run: ``python -m recbole_popaware.experiments.worker FOLDER``.

``scheduler.py`` starts it. FOLDER has a ``job.json``; what the run makes goes into it: ``result.json``,
``per_user.parquet``, ``recommendations.parquet``, ``users.parquet``, ``curve.jsonl`` (a line for each
validated epoch, as it goes), ``saved/``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from recbole.utils import ModelType

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.experiments.lists import describe_users, recommendations
from recbole_popaware.experiments.store import write_json
from recbole_popaware.quick_start import Trained, train

LIST_LENGTH = 100


def main(folder: Path) -> int:
    """Do the run that ``job.json`` describes.

    Returns:
        Exit code: 0, or 1 with the reason in one line after the traceback, if there is one.
    """
    os.chdir(folder)  # RecBole writes to the working directory
    warnings.filterwarnings("ignore", module=r"recbole\.")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal():
        torch.set_num_threads(int(threads))
    try:
        _run(json.loads(Path("job.json").read_text()))
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201  # a program of its own, whose output its parent keeps
        return 1
    except Exception as error:
        traceback.print_exc()
        print(f"error: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201  # a program of its own, whose output its parent keeps
        return 1
    return 0


def _run(job: dict[str, Any]) -> None:
    settings = {**job["settings"], "checkpoint_dir": "saved", "show_progress": False}
    config = Config(job["model"], job["dataset"], config_dict=settings, argv=())
    trained = train(config, on_epoch=_curve_writer(Path("curve.jsonl")))
    Path(str(trained.result["per_user"])).rename("per_user.parquet")
    describe_users(trained.prepared).to_parquet("users.parquet", index=False)
    recommendations(trained, LIST_LENGTH).to_parquet("recommendations.parquet", index=False)
    write_json(Path("result.json"), _result(trained, job["fingerprint"]))


def _curve_writer(file: Path) -> Callable[[int, float], None]:
    """Make a function that writes a line for each validated epoch, with the seconds since this call."""
    started, parent = perf_counter(), os.getppid()
    file.touch()

    def write(epoch: int, score: float) -> None:
        if os.getppid() != parent:
            raise UsageError("the experiment that started this run has gone")
        line = {"epoch": epoch + 1, "score": score, "seconds": round(perf_counter() - started, 3)}
        with file.open("a") as stream:
            stream.write(json.dumps(line) + "\n")

    return write


def _result(trained: Trained, fingerprint: str) -> dict[str, Any]:
    result, data = dict[str, Any](trained.result), trained.prepared
    parameters = sum(p.numel() for p in trained.trainer.model.parameters() if p.requires_grad)
    if data.config["MODEL_TYPE"] == ModelType.TRADITIONAL:
        parameters = 0  # the one they have is for RecBole's optimiser
    names = ("test_result", "best_valid_result", "epochs", "seconds", "evaluation_seconds", "checkpoint")
    return {
        "fingerprint": fingerprint,
        "settings": json.loads(data.config.settings_as_text()),
        **{name: result[name] for name in names},
        "curve": [json.loads(line) for line in Path("curve.jsonl").read_text().splitlines()],
        "parameters": parameters,
        "device": str(data.config["device"]),
        "threads": torch.get_num_threads(),
        "data": {
            "users": data.dataset.user_num - 1,
            "items": data.dataset.item_num - 1,
            "training_rows": len(data.train_data.dataset),
            "test_rows": len(data.test_data.dataset),
        },
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
