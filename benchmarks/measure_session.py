"""How long one user's list takes in a warm session of an exported model, by the clock.

python benchmarks/efficiency.py session

One JSON line for each number of plays that users have. Run it on a core that nothing else uses: the 99th
percentile is waiting for a core otherwise.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure_recommend import save_first_weights, write_log

USERS = 50


def add_command(commands: Any) -> None:
    """Add the sub-command ``session``."""
    words = commands.add_parser("session", help="milliseconds of a list, of a warm session; one thread")
    words.add_argument("--items", type=int, default=30_000, help="size of the catalogue")
    words.add_argument("--plays", type=int, nargs="+", default=[10, 50, 1000], help="plays of each user")
    words.add_argument("--topk", type=int, default=10, help="length of the lists")
    words.add_argument("--lists", type=int, default=1000, help="lists to time")
    words.set_defaults(run=measure)


def measure(given: argparse.Namespace) -> None:
    """Export a model that has learned nothing, and time lists and plays."""
    from recbole_popaware.export import export
    from recbole_popaware.serving import Session

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder, given.items)
        export(save_first_weights(folder), folder / "model", measures=False)
        session = Session.load(folder / "model")
    generator, ids = np.random.default_rng(1), session.item_ids[1:]
    for n in given.plays:
        users = [f"{n} plays {number}" for number in range(USERS)]
        for user in users:
            items = (given.items * generator.random(n) ** 3).astype(np.int64)
            session.update(user, [(ids[item], 1.7e9 + 60 * k) for k, item in enumerate(items)])
        seconds(lambda user: session.recommend([user], given.topk), users)  # warm
        lists = seconds(lambda user: session.recommend([user], given.topk), users * -(-given.lists // USERS))
        row = {"benchmark": "session", "items": given.items, "plays": n, "lists": len(lists)}
        row |= {f"p{q}_ms": round(1e3 * float(np.percentile(lists, q)), 2) for q in (50, 99)}
        plays = seconds(lambda user: session.update(user, [(ids[0], 1.75e9)]), users * 20)
        row["play_us"] = round(1e6 * float(np.median(plays)), 1)
        print(json.dumps(row), flush=True)


def seconds(work: Callable[[str], object], users: Sequence[str]) -> list[float]:
    """Seconds by the clock that the work for each user takes."""
    taken = []
    for user in users:
        start = time.perf_counter()
        work(user)
        taken.append(time.perf_counter() - start)
    return taken
