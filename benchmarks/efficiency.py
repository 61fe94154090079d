"""Side-by-side measurements of this package and stock RecBole; prints one JSON line per measurement.

    python benchmarks/efficiency.py data                                   # both, 1 million plays
    python benchmarks/efficiency.py data --plays 20000000 --only ours      # what stock cannot load
    python benchmarks/efficiency.py head | train | evaluate     # ours against itself and stock
    python benchmarks/efficiency.py reach --data-path atomic    # time to an accuracy, on real plays
    python benchmarks/efficiency.py recommend                              # users a second, memory
    python benchmarks/efficiency.py session                     # milliseconds of a list of an exported model
    python benchmarks/efficiency.py catalogue        # a step and a ranking, 3 million items against 30,000

Every measurement runs in a process of its own. Seconds and bytes depend on the machine; compare ratios.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure_catalogue
import measure_recommend
import measure_session
import measure_training
import numpy as np
import pyarrow as pa
import pyarrow.csv

CHUNK = 1_000_000
PLAYS_PER_USER = 250
ITEMS = 30_000


def main() -> None:
    """Run the measurement that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="memory and time from an .inter file to the first batch")
    data.add_argument("--plays", type=int, default=1_000_000, help="size of the log")
    data.add_argument("--length", type=int, default=150, help="MAX_ITEM_LIST_LENGTH")
    data.add_argument("--split", default='{"LS": "valid_and_test"}', help="eval_args split, as JSON")
    data.add_argument("--batches", type=int, default=100, help="batches to serve after the first")
    data.add_argument("--only", choices=sorted(LOADERS), help="measure one side only")
    data.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # one side, in this process
    data.set_defaults(run=compare_data)
    measure_training.add_commands(commands)
    measure_recommend.add_command(commands)
    measure_session.add_command(commands)
    measure_catalogue.add_command(commands)
    arguments = parser.parse_args()
    arguments.run(arguments)


def compare_data(arguments: argparse.Namespace) -> None:
    """Load a log and serve batches of SASRec's samples, each side in its own process."""
    if arguments.measure:
        report(**measure_data(arguments, LOADERS[arguments.only]))
        return
    sides = [arguments.only] if arguments.only else ["stock", "ours"]
    measured = {}
    with tempfile.TemporaryDirectory() as folder:
        write_plays(Path(folder), arguments.plays)
        for side in [*sides, *sides[-1:]]:  # ours twice: the first start makes the binary form of a large log
            args = [*sys.argv, "--measure", folder] + ([] if arguments.only else ["--only", side])
            done = subprocess.run([sys.executable, *args], check=True, stdout=subprocess.PIPE, text=True)
            start = "second" if side in measured else "first"
            measured[side] = {**json.loads(done.stdout.splitlines()[-1]), "start": start}
            report(**measured[side])
    if len(measured) == 2:
        stock, ours = measured["stock"], measured["ours"]
        report(
            benchmark="data",
            less_memory=round(stock["additional_mb"] / ours["additional_mb"], 1),
            faster=round(stock["first_batch_s"] / ours["first_batch_s"], 1),
        )


def measure_data(arguments: argparse.Namespace, load: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Measure one side in this process."""
    load({})  # imports only
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    settings = {
        "data_path": str(arguments.measure),
        "dataset": "plays",
        "load_col": {"inter": ["user_id", "item_id", "timestamp", "rating"]},
        "eval_args": {"split": json.loads(arguments.split), "order": "TO", "mode": "full"},
        "MAX_ITEM_LIST_LENGTH": arguments.length,
        "train_neg_sample_args": None,
        "train_batch_size": 512,
        "state": "ERROR",
    }
    start, cpu = time.perf_counter(), time.process_time()
    batches = iter(load(settings))
    next(batches)
    first, cpu = time.perf_counter() - start, time.process_time() - cpu
    start = time.perf_counter()
    served = sum(len(batch) for batch, _ in zip(batches, range(arguments.batches)))
    seconds = time.perf_counter() - start
    return {
        "benchmark": "data",
        "side": arguments.only,
        "plays": arguments.plays,
        "length": arguments.length,
        "first_batch_s": round(first, 2),
        "first_batch_cpu_s": round(cpu, 2),
        "additional_mb": round(memory("VmHWM") - before, 1),
        "peak_mb": round(memory("VmHWM"), 1),
        "samples_per_s": round(served / seconds) if served else None,
    }


def load_ours(settings: dict[str, Any]) -> Any:
    """Make the training loader of this package; import only, if there are no settings."""
    from recbole_popaware.config import Config
    from recbole_popaware.data.utils import create_dataset, data_preparation
    from recbole_popaware.utils import get_model

    get_model("SASRec")  # imports all of RecBole's models
    if not settings:
        return None
    config = Config("SASRec", config_dict=settings, argv=())
    return data_preparation(config, create_dataset(config))[0]


def load_stock(settings: dict[str, Any]) -> Any:
    """Make RecBole's training loader; import only, if there are no settings."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import get_model

    from recbole_popaware.compat import restore_numpy_aliases

    restore_numpy_aliases()
    get_model("SASRec")  # imports all of RecBole's models
    if not settings:
        return None
    sys.argv = sys.argv[:1]
    config = Config("SASRec", settings.pop("dataset"), config_dict=settings)
    return data_preparation(config, create_dataset(config))[0]


LOADERS: dict[str, Callable[[dict[str, Any]], Any]] = {"ours": load_ours, "stock": load_stock}


def write_plays(folder: Path, n_plays: int) -> None:
    """Write a log as the converters do, only quicker: random users, popular items, plays and likes."""
    file = folder / "plays" / "plays.inter"
    file.parent.mkdir()
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    schema = pa.schema([("u", pa.string()), ("i", pa.string()), ("t", pa.int64()), ("r", pa.int64())])
    with file.open("wb") as out:
        out.write(b"user_id:token\titem_id:token\ttimestamp:float\trating:float\n")
        with pa.csv.CSVWriter(out, schema, write_options=options) as writer:
            for chunk in simulate(n_plays):
                writer.write_table(pa.table(chunk, schema=schema))


def simulate(n_plays: int) -> Iterator[list[pa.Array]]:
    """Simulate plays in chunks of (user, item, time, rating)."""
    generator = np.random.default_rng(1)
    users = pa.array([f"u{n}" for n in range(max(2, n_plays // PLAYS_PER_USER))])
    items = pa.array([f"t{n}" for n in range(ITEMS)])
    for start in range(0, n_plays, CHUNK):
        size = min(CHUNK, n_plays - start)
        of_users = users.take(pa.array(generator.integers(len(users), size=size)))
        of_items = items.take(pa.array((ITEMS * generator.random(size) ** 3).astype(np.int64)))
        times = pa.array(1_000_000_000 + 30 * np.arange(start, start + size))
        yield [of_users, of_items, times, pa.array(1 + (generator.random(size) < 0.05).astype(np.int64))]


def memory(kind: str) -> float:
    """Read a memory figure of this process in MB: ``VmRSS`` now, ``VmHWM`` at most so far (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind + ":"))


def report(**values: Any) -> None:
    """Print one JSON line."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
