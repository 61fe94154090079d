"""Write the files of an experiment."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recbole_popaware import __version__
from recbole_popaware.experiments.report import comparisons, tables, training
from recbole_popaware.experiments.report.page import report_html
from recbole_popaware.experiments.report.plots import write_plots
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.experiments.runs import Run
from recbole_popaware.experiments.store import RunStore, write_json, write_text
from recbole_popaware.files import replacing

_LIBRARIES = ("recbole", "torch", "numpy", "pandas", "pyarrow", "scipy", "matplotlib")


def write_outputs(results: Results, runs: Sequence[Run], store: RunStore) -> None:
    """Write all files that sum up the finished runs."""
    output, facts = results.output, describe(results)
    finished = [run for run in runs if store.is_finished(run)]
    compared, numbers = comparisons.all_comparisons(results), tables.all_tables(results)
    write_json(output / "results.json", {**facts, **_as_json(results, compared)})
    write_text(output / "table.md", tables.as_markdown(results, numbers))
    write_text(output / "significance.md", comparisons.as_markdown(results, compared))
    _concatenate(output / "per_user.parquet", [_per_user(run, store, results) for run in finished])
    _concatenate(output / "recommendations.parquet", _recommendations(finished, store))
    pictures = write_plots(results, output / "plots")
    write_text(output / "report.html", report_html(results, facts, numbers, compared, pictures))


def describe(results: Results) -> dict[str, Any]:
    """Say when, where and with what versions."""
    versions = {"recbole_popaware": __version__, "python": platform.python_version()}
    versions.update({name: metadata.version(name) for name in _LIBRARIES})
    return {
        "experiment": results.plan.name,
        "dataset": results.plan.dataset,
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "versions": versions,
        "machine": {"platform": platform.platform(), "cores": os.cpu_count()},
        "protocol": {
            "preset": results.protocol.preset,
            "eval_args": dict(results.protocol.eval_args),
            "main_measure": results.protocol.main,
            "measures": list(results.protocol.measures),
            "topk": list(results.protocol.topk),
        },
        "settings": dict(results.plan.settings),
        "overrides": dict(results.overrides),
    }


def _as_json(results: Results, compared: Sequence[comparisons.Comparison]) -> dict[str, Any]:
    systems = [
        {
            **asdict(result.system),
            "mean": {name: result.mean(name) for name in results.measures()},
            "std": {name: result.std(name) for name in results.measures()},
            "runs": [{"seed": seed, **run} for seed, run in result.runs.items()],
        }
        for result in results.systems
    ]
    return {
        "systems": systems,
        "cut_short": training.cut_short(results),
        "significance": [asdict(comparison) for comparison in compared],
        "failures": [{"run": f.run.key, "reason": f.reason} for f in results.failures],
    }


def _per_user(run: Run, store: RunStore, results: Results) -> pd.DataFrame:
    frame = pd.read_parquet(store.folder(run) / "per_user.parquet")
    shown = {name.lower(): name for name in results.measures()}
    return pd.DataFrame(
        {
            "system": run.system.name,
            "seed": np.int64(run.seed),
            "user": frame["user"].astype(str),
            "metric": frame["metric"].map(lambda name: shown.get(name, name)),
            "value": frame["value"],
        }
    )


def _recommendations(finished: Sequence[Run], store: RunStore) -> list[pd.DataFrame]:
    """Lists of each system's first seed."""
    first: Mapping[str, Run] = {run.system.name: run for run in reversed(finished)}
    columns = ["user", "rank", "item", "score", "user_id", "item_id"]
    frames = []
    for name in dict.fromkeys(run.system.name for run in finished):
        frame = pd.read_parquet(store.folder(first[name]) / "recommendations.parquet", columns=columns)
        frame.insert(0, "system", name)
        frames.append(frame.astype({"system": str, "user_id": str, "item_id": str}))
    return frames


def _concatenate(file: Path, frames: Sequence[pd.DataFrame]) -> None:
    """Write frames of the same columns one after the other."""
    if not frames:
        file.unlink(missing_ok=True)
        return
    schema = pa.Schema.from_pandas(frames[0], preserve_index=False)
    with replacing(file) as part, pq.ParquetWriter(part, schema) as writer:
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
