"""Charts of the measures: one function a chart, which gives ``None`` where there is nothing to draw."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from recbole_popaware.experiments.report import style
from recbole_popaware.experiments.report.results import Results, SystemResult
from recbole_popaware.experiments.report.significance import bootstrap_intervals
from recbole_popaware.experiments.report.style import INK, Look

_HALO = [withStroke(linewidth=2.6, foreground="white")]  # whiskers show on dark bars too


def accuracy(results: Results) -> Figure | None:
    """Bars of the main measure with their intervals."""
    measure = results.protocol.main
    if not results.has(measure):
        return None
    drawn, axes = style.figure(8, 0.45 * len(results.systems) + 1)
    _bars(axes, results, measure)
    axes.set_xlabel(f"{measure} on the test part")
    return drawn


def over_k(results: Results) -> Figure | None:
    """The main measure over the length of the list."""
    measure, topk = results.protocol.main.partition("@")[0], results.protocol.topk
    if len(topk) < 2:
        return None
    drawn, axes = style.figure(8.5, 4.2)
    for found, look in _with_looks(results):
        means = [found.mean(name) for name in results.names(measure)]
        axes.plot(topk, means, **look.points(), label=found.system.name)
    axes.set_xscale("log")
    axes.set_xticks(topk, [str(k) for k in topk])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("length k of the list (logarithmic)")
    axes.set_ylabel(f"{measure}@k")
    style.legend(axes)
    return drawn


def repeat_against_explore(results: Results) -> Figure | None:
    """Recall of known items against recall of new ones."""
    repeat, explore = (at_main(results, name) for name in ("RepeatRecall", "ExploreRecall"))
    if not (results.has(repeat) and results.has(explore)):
        return None
    drawn, axes = style.figure(8.5, 4.6)
    for base, improved in results.pairs():
        ends = [[found.mean(name) for found in (base, improved)] for name in (explore, repeat)]
        axes.plot(*ends, color=style.looks(results)[improved.system.name].colour, linewidth=1, alpha=0.6)
    for found, look in _with_looks(results):
        place = found.mean(explore), found.mean(repeat)
        axes.plot(*place, **look.points(linestyle="none", markersize=9), label=found.system.name)
    axes.set_xlabel(f"{explore}: share of the new items found")
    axes.set_ylabel(f"{repeat}: share of the known items found")
    axes.margins(0.08)
    style.legend(axes)
    return drawn


def repeat_bias(results: Results) -> Figure | None:
    """Bars of how much more the lists repeat than their users do."""
    measure = at_main(results, "RepeatBias")
    if not results.has(measure):
        return None
    drawn, axes = style.figure(8, 0.45 * len(results.systems) + 1)
    _bars(axes, results, measure, signed=True)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlabel(f"{measure}: share of known items in the list minus their share among what users play")
    return drawn


def curves(results: Results) -> Figure | None:
    """Validation score over epochs, the best epoch marked."""
    learned = [(found, look) for found, look in _with_looks(results) if _curve(found)]
    if not any(len(_curve(found)) > 1 for found, _ in learned):
        return None
    drawn, axes = style.figure(8.5, 4.2)
    for found, look in learned:
        epochs, scores = zip(*_curve(found))
        axes.plot(epochs, scores, color=look.colour, linestyle=look.line, linewidth=1.8)
        best = int(np.argmax(scores))
        point = look.points(markersize=8, label=found.system.name)
        axes.plot(epochs[best], scores[best], **point)
    styles = itertools.cycle((":", "-.", (0, (1, 4))))
    for found, look in _with_looks(results):
        if (score := _only_score(found)) is not None:
            axes.axhline(
                score, color=look.colour, linestyle=next(styles), linewidth=1.7, label=found.system.name
            )
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch (first seed)")
    axes.set_ylabel(f"{results.protocol.main} on the validation part")
    style.legend(axes)
    return drawn


def _bars(axes: Axes, results: Results, measure: str, signed: bool = False) -> None:
    systems, looks = style.order(results), style.looks(results)
    highest = 0.0
    for place, found in enumerate(systems):
        mean, look = found.mean(measure), looks[found.system.name]
        low, high = bootstrap_intervals(found.per_user[[measure]].to_numpy(dtype=float))[0]
        axes.barh(place, mean, height=0.66, color=look.fill, edgecolor=look.colour, linewidth=1.6)
        reach = [[max(mean - low, 0)], [max(high - mean, 0)]]
        axes.errorbar(mean, place, xerr=reach, color=INK, capsize=3, linewidth=1.2, path_effects=_HALO)
        at, side = (low, "right") if signed and mean < 0 else (high, "left")
        gap = {"right": (-5, 0), "left": (5, 0)}[side]
        axes.annotate(
            f"{mean:+.3f}" if signed else f"{mean:.4f}",
            (at, place), xytext=gap, textcoords="offset points", ha=side, va="center", fontsize=9, color=INK
        )  # fmt: skip
        highest = max(highest, high)
    axes.set_yticks(range(len(systems)), [found.system.name for found in systems])
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    if not signed:
        axes.set_xlim(0, highest * 1.14 or 1)


def _with_looks(results: Results) -> list[tuple[SystemResult, Look]]:
    looks = style.looks(results)
    return [(found, looks[found.system.name]) for found in results.systems]


def _curve(found: SystemResult) -> list[tuple[int, float]]:
    """Epochs and validation scores of the first seed; nothing for systems that learn nothing."""
    run = found.runs[min(found.runs)]
    points = run["curve"] if run["parameters"] else ()
    return [(point["epoch"], point["score"]) for point in points if point["score"] is not None]


def _only_score(found: SystemResult) -> float | None:
    """Validation score of a system that learns nothing."""
    run = found.runs[min(found.runs)]
    score: float | None = run["curve"][-1]["score"] if run["curve"] and not run["parameters"] else None
    return score


def at_main(results: Results, measure: str) -> str:
    """A measure at the list length of the main one."""
    return f"{measure}@{results.protocol.main.partition('@')[2]}"
