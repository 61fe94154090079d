"""What all tests share: isolation from RecBole's habits, and small data sets written on the spot."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from recbole_popaware.config import Config
from recbole_popaware.quick_start import Experiment, prepare

HERE = Path(__file__).parent
REAL_DATA = Path(os.environ.get("RECBOLE_POPAWARE_DATA", HERE.parent.parent / "shared" / "data"))

settings.register_profile("any speed", deadline=None)  # a busy machine is no failure
settings.load_profile("any speed")

SMALL = {
    "MAX_ITEM_LIST_LENGTH": 8,
    "hidden_size": 8,
    "inner_size": 16,
    "n_layers": 1,
    "n_heads": 2,
    "epochs": 1,
    "train_batch_size": 64,
    "eval_batch_size": 32,
    "show_progress": False,
    "state": "ERROR",
}


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    """RecBole parses the command line, writes to the working directory and keeps its log handlers."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return json.loads((HERE / "golden" / "reference_values.json").read_text())


def write_atomic(folder: Path, name: str, plays, header: str | None = None) -> Path:
    """Write plays (user, item, time[, rating]) as the data set ``folder/name/name.inter``."""
    columns = ("user_id:token", "item_id:token", "timestamp:float", "rating:float")
    lines = [header if header is not None else "\t".join(columns[: len(plays[0])])]
    lines += ["\t".join(map(str, play)) for play in plays]
    file = folder / name / f"{name}.inter"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def looping_plays(n_users: int = 12, n_plays: int = 16, n_items: int = 15) -> list[tuple]:
    """Users who each loop over a few items of their own, so that some items repeat and some do not."""
    return [
        (f"u{user}", f"i{(user * 3 + play * (1 + play % 3)) % n_items}", 1_600_000_000 + 60 * play)
        for user in range(n_users)
        for play in range(n_plays)
    ]


@pytest.fixture
def toy(tmp_path) -> dict[str, Any]:
    """Settings of a small data set that lies in the test's own folder."""
    write_atomic(tmp_path / "data", "toy", looping_plays())
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "toy"}


def build(model: str, settings: dict[str, Any], **more: Any) -> Experiment:
    """Prepare a model on its data, in evaluation mode."""
    experiment = prepare(Config(model, config_dict={**settings, **more}, argv=()))
    experiment.model.eval()
    return experiment
