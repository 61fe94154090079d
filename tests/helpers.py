"""What several test modules share: small data sets, models on them, commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from recbole_popaware.config import Config
from recbole_popaware.quick_start import Prepared, prepare
from recbole_popaware.utils import get_trainer

ROOT = Path(__file__).parents[1]
TRAIN = ROOT / "run_recbole_popaware.py"
REAL_DATA = Path(os.environ.get("RECBOLE_POPAWARE_DATA", ROOT.parent / "shared" / "data"))
GTS = {"split": {"GTS": [0.6, 0.2, 0.2]}, "order": "TO"}

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

# One play a column; + is a like, - a skip. The same drawing is in docs/evaluation.md.
TIMELINES = """
ann   a  .  b  .  a  .  c  .  .  .  a  .  | b  .  d- .  | a  .  .  e
bob   .  a  .  b  .  c  .  .  a- b  .  .  | .  c  .  .  | .  b- .  .
cyd   .  .  .  .  .  .  .  a  .  .  .  b  | .  .  .  .  | .  .  a+ .
dee   .  .  .  .  .  .  .  .  .  .  .  .  | .  .  .  a  | .  .  .  .
"""

RATINGS = {"": 1, "+": 2, "-": -1}
NEED_ITEM_IDS_ONLY = (
    *(
        "BERT4Rec",
        "Caser",
        "CORE",
        "DIN",
        "FEARec",
        "FOSSIL",
        "FPMC",
        "GCSAN",
        "GRU4Rec",
        "GRU4RecCPR",
        "HGN",
    ),
    *("HRM", "LightSANs", "NARM", "NextItNet", "NPE", "RepeatNet", "SASRec", "SASRecCPR", "SHAN", "SINE"),
    *("SRGNN", "STAMP", "TransRec"),
)


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


def plays_of(drawing):
    """(user, item, time, rating) of a drawing, in order of time."""
    plays = []
    for line in drawing.strip().splitlines():
        user, *columns = line.replace("|", " ").split()
        plays += [
            (user, play[0], 1_700_000_000 + time, RATINGS[play[1:]])
            for time, play in enumerate(columns)
            if play != "."
        ]
    return sorted(plays, key=lambda play: play[2])


def build(model: str, settings: dict[str, Any], **more: Any) -> Prepared:
    """Prepare a model on its data, in evaluation mode."""
    experiment = prepare(Config(model, config_dict={**settings, **more}, argv=()))
    experiment.model.eval()
    return experiment


def save(model, settings, **more):
    """A checkpoint of first weights."""
    experiment = build(model, settings, **more)
    trainer = get_trainer(experiment.config["MODEL_TYPE"], model)(experiment.config, experiment.model)
    trainer._save_checkpoint(0, verbose=False)
    trainer.tensorboard.close()
    return trainer.saved_model_file


def arguments(settings, **more):
    return [f"--{key}={value}" for key, value in {**settings, **more}.items()]


def run_command(*command):
    """Exit code and lines on standard error of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    return done.returncode, done.stderr.splitlines()
