"""One trial: some settings trained and evaluated, on data that all trials share."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from json import loads
from pathlib import Path
from typing import Any, NamedTuple

from recbole.utils import init_seed

from recbole_popaware.config import Config
from recbole_popaware.data.utils import SharedData
from recbole_popaware.quick_start import RunResult, prepare, train_prepared
from recbole_popaware.tuning.results import Trial


class Task(NamedTuple):
    """A trial to be run, here or in another process.

    Attributes:
        key: Its name.
        params: The tuned properties.
        settings: All properties, the tuned ones included, as JSON text.
        weights: Folder of its weights.
        curves: Folder of its TensorBoard curves.
    """

    key: str
    params: dict[str, Any]
    settings: str
    weights: str
    curves: str


def objective_function(task: Task, shared: SharedData, **more: Any) -> Trial:
    """Train and evaluate one trial; whatever goes wrong is recorded in it.

    Args:
        task: What to try.
        shared: Data that earlier trials loaded, to be used again where they fit.
        **more: Properties of this process, such as ``gpu_id``.

    Returns:
        The finished trial.
    """
    shutil.rmtree(task.weights, ignore_errors=True)  # an interrupted trial may have left some
    folders = {"checkpoint_dir": task.weights, "tensorboard_dir": task.curves, "show_progress": False}
    try:
        with _quiet():
            config = Config(config_dict={**loads(task.settings), **folders, **more}, argv=())
            init_seed(config["seed"], config["reproducibility"])
            result = train_prepared(prepare(config, shared)).result
    except Exception as error:  # one trial must not end the search
        shutil.rmtree(task.weights, ignore_errors=True)
        return Trial(task.key, task.params, error=f"{type(error).__name__}: {' '.join(str(error).split())}")
    return _trial(task, result)


def _trial(task: Task, result: RunResult) -> Trial:
    score = float(result["best_valid_score"])
    if not math.isfinite(score):
        return Trial(task.key, task.params, error=f"the validation measure is {score}")
    valid, test = (
        {name: float(value) for name, value in (result[part] or {}).items()}
        for part in ("best_valid_result", "test_result")
    )
    seconds, checkpoint = round(result["seconds"], 1), str(Path(str(result["checkpoint"])).resolve())
    bigger = result["valid_score_bigger"]
    return Trial(task.key, task.params, score, bigger, valid, test, seconds, checkpoint)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the epochs of a trial out of the search's log; TensorBoard has them."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
