"""How fast lists are made from parquet histories, against a bare product with top-k, and in how much memory.

python benchmarks/efficiency.py recommend
python benchmarks/efficiency.py recommend --items 650000 --users 20000 --topk 100
python benchmarks/efficiency.py recommend --users 1000000 --plays 50 --parts 16

One JSON line each. On a busy machine compare the seconds of the processor (``cpu``), not those of the clock.
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
import pyarrow.parquet as pq

LENGTH = 50
BARE_USERS = 4096


def add_command(commands: Any) -> None:
    """Add the sub-command ``recommend``."""
    words = commands.add_parser("recommend", help="users a second, against a bare product; memory")
    words.add_argument("--items", type=int, default=30_000, help="size of the catalogue")
    words.add_argument("--users", type=int, nargs="+", default=[10_000, 50_000], help="users who get lists")
    words.add_argument("--plays", type=int, default=10, help="plays of each user; a window has 50")
    words.add_argument("--topk", type=int, default=10, help="length of the lists")
    words.add_argument("--parts", type=int, default=4, help="files of histories")
    words.add_argument("--precision", default="float32", help="float32, or bfloat16 to find candidates with")
    words.add_argument("--checkpoint", help=argparse.SUPPRESS)  # one measurement, in this process
    words.set_defaults(run=compare)


def compare(given: argparse.Namespace) -> None:
    """Measure each number of users in a process of its own."""
    if given.checkpoint:
        print(json.dumps(measure(given)), flush=True)
        return
    for users in given.users:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_log(folder, given.items)
            write_histories(folder / "histories", users, given)
            words = [sys.argv[0], "recommend", "--checkpoint", save_first_weights(folder)]
            words += [
                f"--{key}={getattr(given, key)}" for key in ("items", "plays", "topk", "parts", "precision")
            ]
            command = [sys.executable, "-W", "ignore", *words, f"--users={users}"]
            subprocess.run(command, check=True)


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Write the lists of all users, in this process, between two measurements of the bare product."""
    from recbole_popaware.recommending.options import EVERYBODY, Options
    from recbole_popaware.recommending.parts import write_lists
    from recbole_popaware.recommending.recommender import Recommender

    folder = Path(given.checkpoint).parent
    options = Options(history=folder / "histories", precision=given.precision)
    made = Recommender(given.checkpoint, given.topk, options)
    loaded = peak_mb()
    bare = [measure_bare(given, made.batch_size)]
    before, start, cpu = peak_mb(), time.perf_counter(), time.process_time()
    users = write_lists(made, EVERYBODY, folder / "lists", options).users
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = peak_mb()
    bare.append(measure_bare(given, made.batch_size))
    bare_wall, bare_cpu = (sum(column) / len(bare) for column in zip(*bare))
    return {
        "benchmark": "recommend",
        "items": given.items,
        "users": users,
        "plays": given.plays,
        "topk": given.topk,
        "precision": given.precision,
        "users_per_s": round(users / wall),
        "of_bare": round(bare_wall / (wall / users), 2),
        "users_per_cpu_s": round(users / cpu),
        "bare_per_cpu_s": round(1 / bare_cpu),
        "of_bare_cpu": round(bare_cpu / (cpu / users), 2),
        "loaded_mb": round(loaded),
        "bare_mb": round(before),
        "peak_mb": round(peak),
        "output_mb": round(sum(f.stat().st_size for f in (folder / "lists").rglob("*.parquet")) / 2**20, 1),
    }


def measure_bare(given: argparse.Namespace, batch_size: int) -> tuple[float, float]:
    """Seconds a user, by the clock and of the processor, of products with an item table and their top-k."""
    import torch

    items, users = torch.randn(given.items, 64), min(BARE_USERS, given.users[0])
    with torch.inference_mode():
        hidden = torch.randn(batch_size, 64)
        torch.topk(hidden @ items.T, given.topk)
        rounds = max(1, users // batch_size)
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            torch.topk(hidden @ items.T, given.topk)
    made = rounds * batch_size
    return (time.perf_counter() - start) / made, (time.process_time() - cpu) / made


def write_log(folder: Path, n_items: int) -> None:
    """Write the log of a training, in which each item is played once."""
    columns = {
        "user_id:token": pa.array([f"l{n // 10}" for n in range(n_items)]),
        "item_id:token": pa.array([f"t{n}" for n in range(n_items)]),
        "timestamp:float": pa.array(1_600_000_000 + 60 * np.arange(n_items)),
    }
    file = folder / "plays" / "plays.inter"
    file.parent.mkdir()
    plain = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with file.open("wb") as out:
        out.write(("\t".join(columns) + "\n").encode())
        pa_csv.write_csv(pa.table(columns), out, plain)


def write_histories(folder: Path, n_users: int, given: argparse.Namespace) -> None:
    """Write plays of users, popular items more often, as a folder of parquet files."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    names = pa.array([f"t{n}" for n in range(given.items)])
    for part, users in enumerate(np.array_split(np.arange(n_users), given.parts)):
        of_users = np.repeat(users, given.plays)
        items = (given.items * generator.random(len(of_users)) ** 3).astype(np.int64)
        plays = {
            "user_id": pa.array([f"u{user}" for user in users]).take(pa.array(of_users - users[0])),
            "item_id": names.take(pa.array(items)),
            "timestamp": pa.array(1_700_000_000 + 60 * np.arange(len(of_users))),
        }
        pq.write_table(pa.table(plays), folder / f"part-{part:05}.parquet")


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
