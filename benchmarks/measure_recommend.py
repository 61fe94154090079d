"""How fast lists are made, and that the memory it takes does not grow with the users; one JSON line each.

python benchmarks/efficiency.py recommend
python benchmarks/efficiency.py recommend --items 30000 --users 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

PLAYS_PER_USER = 10
LENGTH = 50


def add_command(commands: Any) -> None:
    """Add the sub-command ``recommend``."""
    words = commands.add_parser("recommend", help="users a second, and memory over users")
    words.add_argument("--items", type=int, nargs="+", default=[30_000, 300_000], help="catalogues")
    words.add_argument("--users", type=int, nargs="+", default=[10_000, 100_000], help="with the first one")
    words.add_argument("--few", type=int, default=2_000, help="users with the other catalogues")
    words.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # one measurement, in this process
    words.add_argument("--checkpoint", help=argparse.SUPPRESS)
    words.set_defaults(run=compare)


def compare(given: argparse.Namespace) -> None:
    """Measure each size in a process of its own; all users are in the data, so that only lists differ."""
    if given.folder:
        print(json.dumps(measure(given.folder, given.checkpoint)), flush=True)
        return
    for n, items in enumerate(given.items):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_plays(folder, max(given.users), items)
            checkpoint = save_first_weights(folder)
            for users in given.users if n == 0 else [given.few]:
                (folder / "users.txt").write_text("".join(f"u{user}\n" for user in range(users)))
                words = [sys.argv[0], "recommend", "--folder", name, "--checkpoint", checkpoint]
                subprocess.run([sys.executable, "-W", "ignore", *words], check=True)


def measure(folder: Path, checkpoint: str) -> dict[str, Any]:
    """Write the lists of the users that ``users.txt`` names, in this process."""
    from recbole_popaware.recommending.recommender import Recommender
    from recbole_popaware.recommending.writer import write

    made = Recommender(checkpoint, topk=10)
    loaded = peak_mb()
    start = time.perf_counter()
    ids, numbers = made.select(folder / "users.txt")
    write(folder / "lists.parquet", made.schema, made.tables(ids, numbers))
    seconds = time.perf_counter() - start
    return {
        "benchmark": "recommend",
        "items": len(made.names) - 1,
        "users": len(ids),
        "users_per_s": round(len(ids) / seconds),
        "loaded_mb": round(loaded),
        "peak_mb": round(peak_mb()),
        "output_mb": round((folder / "lists.parquet").stat().st_size / 2**20, 1),
    }


def write_plays(folder: Path, n_users: int, n_items: int) -> None:
    """Write a log in which every item is played, and popular ones more often."""
    users = np.repeat(np.arange(n_users), PLAYS_PER_USER)
    random = (n_items * np.random.default_rng(1).random(len(users)) ** 3).astype(np.int64)
    random[: min(n_items, len(users))] = np.arange(min(n_items, len(users)))
    columns = {
        "user_id:token": pa.array([f"u{user}" for user in range(n_users)]).take(pa.array(users)),
        "item_id:token": pa.array([f"t{item}" for item in range(n_items)]).take(pa.array(random)),
        "timestamp:float": pa.array(1_600_000_000 + 60 * np.arange(len(users))),
    }
    file = folder / "plays" / "plays.inter"
    file.parent.mkdir()
    plain = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with file.open("wb") as out:
        out.write(("\t".join(columns) + "\n").encode())
        pa_csv.write_csv(pa.table(columns), out, plain)


def save_first_weights(folder: Path) -> str:
    """Save a PopSASRec that has learned nothing, which scores as slowly as one that has."""
    words = """
import sys
from recbole_popaware.config import Config
from recbole_popaware.quick_start import prepare
from recbole_popaware.utils import get_trainer
settings = {"data_path": sys.argv[1], "checkpoint_dir": sys.argv[1], "dataset": "plays", "epochs": 0,
    "MAX_ITEM_LIST_LENGTH": int(sys.argv[2]), "load_col": {"inter": ["user_id", "item_id", "timestamp"]}}
config = Config("PopSASRec", config_dict=settings, argv=())
experiment = prepare(config)
trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, experiment.model)
trainer.fit(experiment.train_data)
print(trainer.saved_model_file)
"""
    command = [sys.executable, "-W", "ignore", "-c", words, str(folder), str(LENGTH)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def peak_mb() -> float:
    """The most memory this process has held, in MB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
