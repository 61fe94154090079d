"""Train, load and tune from Python: what the package offers by name, free of the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from recbole_popaware.errors import UsageError
from recbole_popaware.launch import Request
from recbole_popaware.quick_start import Prepared, RunResult, load_data_and_model, train_and_evaluate
from recbole_popaware.tuning.options import Options
from recbole_popaware.tuning.results import TuningResult
from recbole_popaware.tuning.space import Space, make_space, read_space
from recbole_popaware.tuning.tune import tune as search


def run(
    model: str | type | None = None,
    dataset: str | None = None,
    *,
    config_files: Sequence[str | os.PathLike[str]] = (),
    saved: bool = True,
    **properties: Any,
) -> RunResult:
    """Train a model, evaluate it on the validation and the test part, and keep its best weights.

    The working directory gets the folders ``saved`` (weights), ``log`` and ``log_tensorboard``. Unlike
    :func:`~.quick_start.run_recbole_popaware`, it never reads the arguments of the command line.

    Args:
        model: Name or class of a model, ours or one of RecBole's; needed here or in a file.
        dataset: Name of the data set; default: the demo data.
        config_files: YAML files of properties, later ones win.
        saved: Keep the file of the best weights. Those are evaluated in any case.
        **properties: Properties of RecBole, of the model and of this package, such as ``epochs=20`` or
            ``data_path="atomic"``; they win over files.

    Returns:
        The measures as ``result["test_result"]["ndcg@10"]``, the file of the weights as
        ``result["checkpoint"]``, and more.

    Raises:
        UsageError: If settings or data cannot work.
    """
    return train_and_evaluate(_request(model, dataset, config_files, properties).config(), saved)


def load(checkpoint: str | os.PathLike[str], *, trust_pickle: bool = False, **properties: Any) -> Prepared:
    """Load a trained model together with the data it was trained on.

    Args:
        checkpoint: A file that training has saved.
        trust_pickle: Read files of stock RecBole too, which can run code; for files of your own only.
        **properties: Properties that replace those of the training, such as ``data_path``.

    Returns:
        ``config, model, dataset, train_data, valid_data, test_data``, by name or to be unpacked as RecBole's.

    Raises:
        UsageError: If the file cannot be read, or its data set is not there or has changed.
    """
    return load_data_and_model(checkpoint, properties, trust_pickle=trust_pickle, log=False)


def tune(
    model: str | type | None = None,
    dataset: str | None = None,
    *,
    space: str | os.PathLike[str] | Mapping[str, Sequence[Any] | str],
    algo: str = Options.algo,
    max_evals: int | None = None,
    output_file: str | os.PathLike[str] | None = None,
    display_file: str | os.PathLike[str] | None = None,
    tool: str = Options.tool,
    ray_address: str | None = None,
    workers: int | None = None,
    config_files: Sequence[str | os.PathLike[str]] = (),
    **properties: Any,
) -> TuningResult:
    """Search for good properties; go on with a search whose results file is there.

    Args:
        model: As in :func:`run`.
        dataset: As in :func:`run`.
        space: A ``.hyper`` file, or properties with the values to try:
            ``{"n_layers": [1, 2], "learning_rate": "loguniform -8,-3"}``.
        algo: ``exhaustive`` (all combinations of lists), ``random`` or ``bayes``.
        max_evals: Most trials; default: all of a grid, or else 100.
        output_file: The results; default: ``MODEL-DATASET.tuning.jsonl`` in ``checkpoint_dir``.
        display_file: An HTML file for a picture of the scores.
        tool: ``hyperopt``, one trial after the other, or ``ray``, many at once.
        ray_address: A running Ray cluster; default: Ray is started on this machine.
        workers: With ``ray``: trials at once.
        config_files: As in :func:`run`.
        **properties: The properties that all trials share.

    Returns:
        The best trial, with its properties and weights, and all others.

    Raises:
        UsageError: If settings, space or data cannot work, or every trial failed.
    """
    options = Options(algo, max_evals, output_file, display_file, tool, ray_address, workers)
    points = make_space(space) if isinstance(space, Mapping) else read_space(space)
    _check_fixed(properties, points)
    return search(_request(model, dataset, config_files, properties), points, options)


def _check_fixed(properties: Mapping[str, Any], space: Space) -> None:
    both = [dimension.name for dimension in space.dimensions if dimension.name in properties]
    if both:
        raise UsageError(f"property [{both[0]}] is given and tuned too; leave out one")


def _request(
    model: str | type | None,
    dataset: str | None,
    config_files: Sequence[str | os.PathLike[str]],
    properties: dict[str, Any],
) -> Request:
    return Request(model, dataset, tuple(os.fspath(file) for file in config_files), properties)
