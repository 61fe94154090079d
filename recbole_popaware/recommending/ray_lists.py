"""The same lists with Ray Data: many parts at once, on one machine or a cluster."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError
from tqdm import tqdm

from recbole_popaware.errors import UsageError
from recbole_popaware.ray_cluster import cluster
from recbole_popaware.recommending.options import RAY, Options, Shard, Users
from recbole_popaware.recommending.parts import Counts, Parts
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.writer import is_folder

logger = logging.getLogger(__name__)

_MOST_PARTS = 64  # of histories in one file; those of a folder have a part each


@dataclass(frozen=True)
class Job:
    """What every worker is told.

    Attributes:
        folder: Where relative paths begin.
        checkpoint: The file of the model.
        topk: Length of the lists.
        options: All else.
        users: As :meth:`~.recommender.Recommender.select` takes them.
        output: The folder to write.
        made_from: See :meth:`~.parts.Parts.write`.
    """

    folder: Path
    checkpoint: str
    topk: int
    options: Options
    users: Users
    output: Path
    made_from: str


def write_lists(
    recommender: Recommender, users: Users, output: Path, made_from: str, options: Options
) -> Counts:
    """Do what :func:`~.parts.write_lists` does, in Ray's workers; each loads the model once.

    Args:
        recommender: The model as it is loaded here, which says how many parts there are.
        users: As :meth:`~.recommender.Recommender.select` takes them.
        output: A folder that all machines reach.
        made_from: See :meth:`~.parts.Parts.write`.
        options: What the lists depend on, and where Ray is.

    Raises:
        UsageError: If no cluster is reached, or a part cannot be made. Parts that are finished stay.
    """
    if not is_folder(output):
        raise UsageError(f"tool={RAY} writes a folder, a file a part, but output [{output}] is a file's name")
    job = Job(
        Path.cwd(),
        os.fspath(recommender.checkpoint),
        recommender.rules.topk,
        options,
        users,
        output,
        made_from,
    )
    n, counts = _n_parts(recommender, users), Counts()
    with cluster(options.ray_address, options.workers), _quiet():
        gpus = 1 if ray.cluster_resources().get("GPU") and options.device != "cpu" else 0
        room = int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1))
        made = ray.data.from_items(
            [{"number": number, "of": n} for number in range(1, n + 1)], override_num_blocks=n
        ).map_batches(
            Worker,
            batch_size=1,
            fn_constructor_args=(job,),
            compute=ActorPoolStrategy(size=min(n, room, options.workers or room)),
            num_cpus=1,
            num_gpus=gpus,
        )  # Ray starts a worker that has died again, and gives it the part once more
        hidden = None if options.show_progress else True  # None: shown on terminals
        try:
            for part in tqdm(made.iter_rows(), total=n, unit=" parts", disable=hidden):
                _take(part, counts)
        except RayError as error:
            raise UsageError(f"{output} is not finished, the same command goes on: {error}") from error
    return counts


def _take(part: dict[str, Any], counts: Counts) -> None:
    for message in part["messages"]:
        logger.warning("%s", message)
    if part["error"]:
        raise UsageError(part["error"])
    counts.users += part["users"]
    counts.without += part["without"]
    counts.skipped += part["skipped"]


def _n_parts(recommender: Recommender, users: Users) -> int:
    if Parts(recommender, users, Shard()).by_file:
        return len(recommender.files)
    ids, _ = recommender.select(users)
    return max(1, min(_MOST_PARTS, math.ceil(len(ids) / recommender.batch_size)))


class Worker:
    """Makes parts, one after the other; a mistake of the user's is handed over instead of raised.

    Args:
        job: What to do.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._made: Recommender | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Make the parts of a batch of one shard."""
        (shard,) = (Shard(int(number), int(of)) for number, of in zip(batch["number"], batch["of"]))
        messages, error, counts = [], "", Counts()
        try:
            if self._made is None:
                self._made = self._load()
            with _noted() as messages:
                parts = Parts(self._made, self.job.users, shard)
                parts.write(self.job.output, self.job.made_from)
                counts = parts.counts
        except (UsageError, OSError) as mistake:
            error = " ".join(str(mistake).split())
        row = {**vars(counts), "messages": messages, "error": error}
        return {name: [value] for name, value in row.items()}

    def _load(self) -> Recommender:
        from recbole_popaware.compat import import_recbole

        import_recbole()
        os.chdir(self.job.folder)
        return Recommender(self.job.checkpoint, self.job.topk, self.job.options)


@contextmanager
def _noted() -> Iterator[list[str]]:
    """Collect what is logged meanwhile, which nobody would see on another machine."""
    noted: list[str] = []

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            noted.append(record.getMessage())

    package, handler = logging.getLogger(__name__.partition(".")[0]), Note(logging.WARNING)
    package.addHandler(handler)
    try:
        yield noted
    finally:
        package.removeHandler(handler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray Data say nothing but errors: there is a bar of ours."""
    context, of_ray = DataContext.get_current(), logging.getLogger("ray.data")
    before = context.enable_progress_bars, of_ray.level
    context.enable_progress_bars = False
    of_ray.setLevel(logging.ERROR)
    try:
        yield
    finally:
        context.enable_progress_bars = before[0]
        of_ray.setLevel(before[1])
