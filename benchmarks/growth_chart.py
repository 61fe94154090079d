"""Draw docs/growth.png from the lines that growth.py has printed: how each stage grows.

    python benchmarks/growth_chart.py growth.jsonl

Labels at the ends are exponents: 1 is proportional, 0 constant.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
COLOURS = {
    "convert": "#0072B2",
    "load": "#D55E00",
    "step": "#009E73",
    "evaluate": "#CC79A7",
    "recommend": "#7F7F7F",
}
MEASURES = {"cpu_s": "Processor seconds", "added_mb": "MB above the libraries"}
LINE = 8.5  # points
End = tuple[tuple[float, float], "float | None", str]
AXES = {"plays": "Plays", "items": "Items", "users": "Users"}


def main() -> None:
    """Draw the picture of a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", type=Path, help="what growth.py wrote with --out")
    parser.add_argument("--figure", type=Path, default=HERE.parent / "docs" / "growth.png")
    arguments = parser.parse_args()
    lines = arguments.lines.read_text(encoding="utf-8").splitlines()
    draw([json.loads(line) for line in lines], arguments.figure)


def draw(lines: list[dict[str, Any]], file: Path) -> None:
    """Draw a column for each thing that grows, seconds above memory."""
    lines = [line for line in lines if line.get("axis") in AXES]
    columns = [axis for axis in AXES if any(line["axis"] == axis for line in lines)]
    figure = Figure(figsize=(3.4 * len(columns), 5.4), layout="constrained")
    grid = figure.subplots(len(MEASURES), len(columns), squeeze=False, sharey="row", sharex="col")
    ends = {}
    for row, measure in zip(grid, MEASURES):
        for axes, axis in zip(row, columns):
            ends[axes] = _panel(axes, [line for line in lines if line["axis"] == axis], measure)
        row[0].set_ylabel(MEASURES[measure])
    for axes, axis in zip(grid[-1], columns):
        axes.set_xlabel(AXES[axis])
    marks = dict(zip(*grid[0][0].get_legend_handles_labels()[::-1]))
    figure.legend(marks.values(), marks, loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    figure.draw_without_rendering()  # so that places are known
    for axes, of_panel in ends.items():
        _label(axes, of_panel, 72 / figure.dpi)
    figure.savefig(file, dpi=150)


def _panel(axes: Axes, lines: list[dict[str, Any]], measure: str) -> list[End]:
    """Draw curves; returns where they end, with their exponents and colours."""
    slopes = {line["stage"]: line["exponents"].get(measure) for line in lines if "exponents" in line}
    ends = []
    for stage, colour in COLOURS.items():
        points = sorted(
            (line["at"], line[measure])
            for line in lines
            if line["stage"] == stage and line.get(measure, 0) > 0
        )
        if points:
            axes.plot(*zip(*points), color=colour, marker="o", markersize=3.5, label=stage)
            ends.append((points[-1], slopes.get(stage), colour))
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.16)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e3e3e3")
    axes.set_axisbelow(True)
    return ends


def _label(axes: Axes, ends: list[End], points: float) -> None:
    """Write exponents beside the ends, from below, each at least a line above the one before."""
    free = float("-inf")
    for place, exponent, colour in sorted(ends, key=lambda end: end[0][1]):
        if exponent is not None:
            height = axes.transData.transform(place)[1] * points
            at, free = max(height, free), max(height, free) + LINE
            style = {"textcoords": "offset points", "va": "center", "fontsize": 8}
            axes.annotate(f"{exponent:g}", place, (6, at - height), color=colour, **style)


if __name__ == "__main__":
    main()
