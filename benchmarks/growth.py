"""How time, memory and disk grow with plays, catalogue and users; a JSON line each.

    python benchmarks/growth.py curves --quick
    python benchmarks/growth.py curves --folder scratch --out growth.jsonl --figure docs/growth.png
    python benchmarks/growth.py curves --axis plays --points 2000000 200000000 --folder scratch
    python benchmarks/growth.py nested --folder scratch        # 1.2 million users, 120 million actions

``curves`` simulates a log for each point, in Yambda's flat parquet and in order of time, and measures in a
process each: converting it with ``--binary-only``; loading it to the first batch; training steps; ranking
the catalogue for validated users; lists of a thousand users. A line gives seconds by the clock and of the
processor (of a step, the median), the peak of resident memory, what of that came on top of the imported
libraries, and disk. The last lines give exponents: the slope of each curve by least squares of logarithms;
1 is proportional, 0 constant. ``--out`` is completed if it is there: points that it has are not measured
again. ``nested`` measures one log of nested parquet, with whole histories in the popularity head.

The largest log needs 8 GB of disk; all points take about an hour. Compare ratios, on a busy machine those of
processor seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from growth_logs import Shape, write_flat, write_nested
from measure_growth import STAGES, Task

MILLION = 1_000_000
PLAYS_PER_USER = 250


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes:
        points: Values to measure at.
        quick: A few small ones.
        shape: The log at a value.
        evaluated: Users that are evaluated.
    """

    points: tuple[int, ...]
    quick: tuple[int, ...]
    shape: Callable[[int], Shape]
    evaluated: int = 10_000


AXES = {
    "plays": Axis(
        tuple(n * MILLION for n in (1, 2, 10, 20, 100, 200)),
        (10_000, 40_000),
        lambda n: Shape(n, n // PLAYS_PER_USER, min(30_000, n // 10)),
    ),
    "items": Axis(
        (30_000, 300_000, 3_000_000),
        (1_000, 4_000),
        lambda n: Shape(max(10 * MILLION if n >= 30_000 else 0, 4 * n), 40_000 if n >= 30_000 else 100, n),
        evaluated=1_000,
    ),
    "users": Axis(
        (1_000, 10_000, 100_000, 1_000_000, 2_000_000),
        (100, 400),
        lambda n: Shape(20 * MILLION if n >= 1_000 else 20 * n, n, 30_000 if n >= 1_000 else 500),
    ),
}
MEASURES = ("seconds", "cpu_s", "added_mb", "disk_mb")


def main() -> None:
    """Run the measurement that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    curves = commands.add_parser("curves", help="all stages against plays, catalogue and users")
    curves.add_argument("--axis", choices=AXES, nargs="+", default=list(AXES), help="what grows")
    curves.add_argument("--points", type=int, nargs="+", help="values of one axis, instead of the usual ones")
    curves.add_argument("--quick", action="store_true", help="small logs, for a look at it")
    curves.add_argument("--figure", type=Path, help="picture of the curves to draw (needs matplotlib)")
    curves.set_defaults(run=measure_curves)
    nested = commands.add_parser("nested", help="one log of nested parquet, tracks.parquet beside it")
    nested.add_argument("--plays", type=int, default=120 * MILLION)
    nested.add_argument("--users", type=int, default=1_200_000)
    nested.add_argument("--items", type=int, default=650_000)
    nested.add_argument("--most", type=int, default=Shape.most, help="plays of the user with most")
    nested.add_argument("--evaluated", type=int, default=20_000, help="users to evaluate")
    nested.set_defaults(run=measure_nested)
    for command, steps in ((curves, 200), (nested, 1_000)):
        command.add_argument("--steps", type=int, default=steps, help="training steps")
        command.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
        command.add_argument("--folder", type=Path, help="where the logs go; default: the temporary folder")
        command.add_argument("--out", type=Path, help="file of the lines, beside standard output")
        command.add_argument("--stages", choices=STAGES, nargs="+", default=list(STAGES))
    arguments = parser.parse_args()
    arguments.run(arguments)


def measure_curves(arguments: argparse.Namespace) -> None:
    """Measure every point that is not there yet; then exponents and picture."""
    lines = Lines(arguments.out)
    for name in arguments.axis:
        axis = AXES[name]
        for value in arguments.points or (axis.quick if arguments.quick else axis.points):
            where = {"benchmark": "growth", "axis": name, "at": value}
            if not all(lines.has(**where, stage=stage) for stage in arguments.stages):
                shape = axis.shape(value)
                task = Task(Path(), "yambda", {}, arguments.steps, axis.evaluated, 1_000)
                for line in measured(arguments, task, shape):
                    lines.add(**where, **line)
    for line in exponents(lines.all):
        lines.add(**line)
    if arguments.figure:
        from growth_chart import draw

        draw(lines.all, arguments.figure)


def measure_nested(arguments: argparse.Namespace) -> None:
    """Measure one log of nested parquet."""
    lines = Lines(arguments.out)
    shape = Shape(arguments.plays, arguments.users, arguments.items, most=arguments.most)
    whole = {"popularity_head": "sigmoid", "pps_history": "full"}
    task = Task(Path(), "parquet", whole, arguments.steps, arguments.evaluated, 1_000)
    for line in measured(arguments, task, shape):
        lines.add(benchmark="growth", log="nested", **line)


def measured(arguments: argparse.Namespace, task: Task, shape: Shape) -> Iterator[dict[str, Any]]:
    """Simulate a log, go through the stages, a process each, and remove it."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        task = replace(task, folder=Path(name))
        raw = task.folder / "raw"
        raw.mkdir()
        if task.source == "yambda":
            alone(write_flat, arguments.threads, raw / "listens.parquet", shape)
        else:
            alone(write_nested, arguments.threads, raw, shape)
        raw_mb = sum(file.stat().st_size for file in raw.iterdir()) / 1e6
        for stage in arguments.stages:
            figures = alone(STAGES[stage], arguments.threads, task)
            if stage == "convert":
                figures["raw_mb"] = round(raw_mb, 1)
                shutil.rmtree(raw)
            yield {"stage": stage, **figures}


def alone(run: Callable[..., Any], threads: int, *arguments: Any) -> Any:
    """Run in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_with_threads, threads, run, arguments).result()


def _with_threads(threads: int, run: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    import torch

    torch.set_num_threads(threads)
    return run(*arguments)


def exponents(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The exponent of each curve that has two points or more."""
    curves = dict.fromkeys((line["axis"], line["stage"]) for line in lines if "at" in line)
    for axis, stage in curves:
        points = {line["at"]: line for line in lines if (line.get("axis"), line["stage"]) == (axis, stage)}
        slopes = {
            measure: slope([(at, line[measure]) for at, line in points.items() if line.get(measure, 0) > 0])
            for measure in MEASURES
        }
        yield {
            "benchmark": "growth",
            "axis": axis,
            "stage": stage,
            "exponents": {measure: value for measure, value in slopes.items() if value is not None},
        }


def slope(points: list[tuple[float, float]]) -> float | None:
    """Slope of logarithms by least squares; ``None`` of fewer than two points."""
    if len(points) < 2:
        return None
    x, y = ([math.log(point[side]) for point in points] for side in (0, 1))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y))
    return round(covariance / sum((a - mean_x) ** 2 for a in x), 2)


class Lines:
    """What was measured, printed and, if wanted, kept in a file.

    Args:
        file: The file; lines that it has count as measured, but exponents, which are made anew.
    """

    def __init__(self, file: Path | None) -> None:
        self._file, self.all = file, []
        if file and file.exists():
            kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            self.all = [line for line in kept if "exponents" not in line]
            file.write_text("".join(json.dumps(line) + "\n" for line in self.all), encoding="utf-8")

    def has(self, **values: Any) -> bool:
        """Whether there is a line with these values."""
        return any(values.items() <= line.items() for line in self.all if "exponents" not in line)

    def add(self, **line: Any) -> None:
        """Print a line."""
        self.all.append(line)
        print(json.dumps(line), flush=True)
        if self._file:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
