"""Maps of all systems: each one a point, for two measures at once or for what accuracy costs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from recbole_popaware.experiments.report import style
from recbole_popaware.experiments.report.charts import at_main
from recbole_popaware.experiments.report.labels import Label
from recbole_popaware.experiments.report.point_labels import label_points
from recbole_popaware.experiments.report.results import Results

Points = dict[str, tuple[float, float]]

_LEAST_SECONDS = 0.1  # left end of the axis of time; less is noise


def repeat_explore_map(results: Results) -> Figure | None:
    """Recall of known items and of new ones, both at the length of the main measure."""
    repeat, explore = (at_main(results, name) for name in ("RepeatRecall", "ExploreRecall"))
    if not (results.has(repeat) and results.has(explore)):
        return None
    drawn, [axes] = style.figure(8.5, 5.2)
    points = {result.name: (result.mean(repeat), result.mean(explore)) for result in results.systems}
    _draw(axes, results, points)
    axes.set_xlabel(f"{repeat}: share of the known items recommended")
    axes.set_ylabel(f"{explore}: share of the new items recommended")
    _name(drawn, axes, results, points)
    return drawn


def accuracy_by_time(results: Results) -> Figure | None:
    """The main measure over the seconds of training."""
    measure = results.protocol.main
    if not (results.has(measure) and any(result.learns for result in results.systems)):
        return None
    drawn, [axes] = style.figure(8.5, 5.2)
    points = {
        result.name: (max(result.mean("seconds"), _LEAST_SECONDS), result.mean(measure))
        for result in results.systems
    }
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_seconds))
    axes.minorticks_off()
    _draw(axes, results, points)
    axes.set_xlabel("seconds of training, validation included (logarithmic)")
    axes.set_ylabel(f"{measure} on the test part")
    _name(drawn, axes, results, points)
    return drawn


def _seconds(value: float, _: int) -> str:
    return f"≤ {value:g}" if value <= _LEAST_SECONDS else f"{value:g}"


def _draw(axes: Axes, results: Results, points: Points) -> None:
    """Points, and a thin line from each base to its variants."""
    looks = style.looks(results)
    for base, variant in results.pairs():
        xs, ys = zip(points[base.name], points[variant.name])
        axes.plot(xs, ys, color=looks[base.name].colour, linewidth=0.9, alpha=0.55, zorder=1)
    for name, (x, y) in points.items():
        axes.plot(x, y, **looks[name].points(linestyle="none", markersize=8, zorder=2))
    axes.margins(x=0.18, y=0.12)  # room for names


def _name(drawn: Figure, axes: Axes, results: Results, points: Points) -> None:
    looks = style.looks(results)
    shown = {name: point for name, point in points.items() if np.isfinite(point).all()}
    label_points(drawn, axes, [Label(x, y, name, looks[name].colour) for name, (x, y) in shown.items()])
