"""The functions of RecBole that its own tests call: ours in their place, or with STOCK_RECBOLE=1 RecBole's.

``tests/recbole/cases`` runs with both, so that the two can be counted case by case (docs/recbole.md). In the
environment of stock RecBole nothing of this package is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from recbole.data.transform import construct_transform

STOCK = bool(os.environ.get("STOCK_RECBOLE"))

if STOCK:
    from recbole.config import Config as _Config
    from recbole.data import create_dataset, data_preparation
    from recbole.evaluator import metrics_dict
    from recbole.quick_start import objective_function
    from recbole.trainer import HyperTuning
else:
    from recbole.evaluator.register import metrics_dict

    from recbole_popaware.api import tune as _tune
    from recbole_popaware.config import Config as _Config
    from recbole_popaware.data.utils import create_dataset, data_preparation
    from recbole_popaware.quick_start import run_recbole_popaware

__all__ = [
    "STOCK",
    "construct_transform",
    "create_dataset",
    "data_preparation",
    "make_config",
    "metrics_dict",
    "run",
    "search",
    "write_tables",
]


def make_config(
    model: str,
    dataset: str = "ml-100k",
    files: tuple[Path, ...] = (),
    argv: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """RecBole's settings of a model, and ours over them."""
    sys.argv = ["program", *argv]
    return _Config(model, dataset, [str(file) for file in files], more)


def run(model: str, **settings: Any) -> dict[str, Any]:
    """Train and evaluate a model, keeping nothing; settings as a dictionary of RecBole's."""
    if STOCK:
        result: dict[str, Any] = objective_function({"model": model, **settings}, saved=False)
        return result
    return dict(run_recbole_popaware(model, config_dict=settings, saved=False))


def search(algo: str, space: Path, fixed: Path) -> dict[str, Any]:
    """Search the properties of a ``.hyper`` file; a file has the others. Returns the best ones found."""
    if STOCK:
        tuning = HyperTuning(
            objective_function,
            algo=algo,
            early_stop=4,
            max_evals=4,
            params_file=str(space),
            fixed_config_file_list=[str(fixed)],
        )
        tuning.run()
        found: dict[str, Any] = tuning.best_params
        return found
    evals = None if algo == "exhaustive" else 4
    return dict(_tune(space=space, algo=algo, max_evals=evals, config_files=[fixed]).best.params)


def write_tables(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """Write the tables of a data set, and return the settings that find them.

    Args:
        folder: Folder of data sets.
        files: Tables by the end of their files' names. The first line is a header; _ is a blank in a field,
            ~ an empty field.
    """
    (folder / "set").mkdir(exist_ok=True)
    for suffix, table in files.items():
        head, *rows = (line.replace(" ", "\t") for line in table.splitlines())
        rows = [row.replace("_", " ").replace("~", "") for row in rows]
        (folder / "set" / f"set.{suffix}").write_text("\n".join([head, *rows]) + "\n")
    return {"data_path": str(folder), "load_col": None, "state": "ERROR"}
