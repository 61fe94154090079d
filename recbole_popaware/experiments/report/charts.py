"""Charts of the measures: one function a chart, which gives ``None`` where there is nothing to draw."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from recbole_popaware.experiments.report import style, training
from recbole_popaware.experiments.report.labels import Label, label_ends
from recbole_popaware.experiments.report.results import Results, SystemResult
from recbole_popaware.experiments.report.significance import bootstrap_intervals
from recbole_popaware.experiments.report.style import INK, Look

_HALO = [withStroke(linewidth=2.6, foreground="white")]  # whiskers show on dark bars too


def accuracy(results: Results) -> Figure | None:
    """Bars of the main measure with their intervals."""
    measure = results.protocol.main
    if not results.has(measure):
        return None
    drawn, [axes] = style.figure(8, _bars_height(results))
    _bars(axes, results, measure)
    axes.set_xlabel(f"{measure} on the test part")
    return drawn


def over_k(results: Results) -> Figure | None:
    """The main measure over the length of the list."""
    measure, topk = results.protocol.main.partition("@")[0], results.protocol.topk
    if len(topk) < 2:
        return None
    drawn, [axes] = style.figure(8.5, style.height(results))
    ends = []
    for result, look in _with_looks(results):
        means = [result.mean(name) for name in results.names(measure)]
        axes.plot(topk, means, **look.points(), label=result.name)
        ends.append(Label(topk[-1], means[-1], result.name, look.colour))
    axes.set_xscale("log")
    axes.set_xticks(topk, [str(k) for k in topk])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("length k of the list (logarithmic)")
    axes.set_ylabel(f"{measure}@k on the test part")
    label_ends(drawn, axes, ends)
    return drawn


def repeat_and_explore(results: Results) -> Figure | None:
    """Bars of the recall of known items beside bars of the recall of new ones."""
    repeat, explore = (at_main(results, name) for name in ("RepeatRecall", "ExploreRecall"))
    if not (results.has(repeat) and results.has(explore)):
        return None
    drawn, (left, right) = style.figure(9.5, _bars_height(results), columns=2)
    _bars(left, results, repeat)
    _bars(right, results, explore)
    left.set_xlabel(f"{repeat}:\nshare of the known items recommended")
    right.set_xlabel(f"{explore}:\nshare of the new items recommended")
    right.tick_params(labelleft=False)
    return drawn


def repeat_bias(results: Results) -> Figure | None:
    """Bars of how much more the lists repeat than their users do."""
    measure = at_main(results, "RepeatBias")
    if not results.has(measure):
        return None
    drawn, [axes] = style.figure(8, _bars_height(results))
    _bars(axes, results, measure, signed=True)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlabel(f"{measure}: share of known items in the list\nminus their share among what users play")
    return drawn


def curves(results: Results) -> Figure | None:
    """Validation score over epochs, the best epoch marked."""
    learned = [(result, look) for result, look in _with_looks(results) if result.learns]
    if not any(len(training.scored(result.first_run)) > 1 for result, _ in learned):
        return None
    drawn, [axes] = style.figure(8.5, style.height(results))
    for result, look in learned:
        _curve(axes, result, look)
    others = []
    for result, look in _with_looks(results):
        point = None if result.learns else training.best_point(result.first_run)
        if point is not None:
            axes.axhline(point["score"], color=look.colour, linewidth=1.2, zorder=1)
            others.append(Label(axes.get_xlim()[1], point["score"], result.name, look.colour))
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch (first seed)")
    axes.set_ylabel(f"{results.protocol.main} on the validation part")
    style.legend(drawn)
    label_ends(drawn, axes, others)
    return drawn


def _curve(axes: Axes, result: SystemResult, look: Look) -> None:
    """The curve of a system's first seed; its legend says if it was still improving."""
    run = result.first_run
    points, best = training.scored(run), training.best_point(run)
    if best is None:
        return
    epochs, scores = ([point[key] for point in points] for key in ("epoch", "score"))
    axes.plot(epochs, scores, color=look.colour, linestyle=look.line, linewidth=1.8)
    ended = " (still improving)" if training.patience_left(run) and best["epoch"] == epochs[-1] else ""
    axes.plot(best["epoch"], best["score"], **look.points(markersize=8, label=f"{result.name}{ended}"))


def _bars_height(results: Results) -> float:
    return 0.4 * len(results.systems) + 1


def _bars(axes: Axes, results: Results, measure: str, signed: bool = False) -> None:
    systems, looks = style.order(results), style.looks(results)
    highest = 0.0
    for row, result in enumerate(systems):
        mean, look = result.mean(measure), looks[result.name]
        low, high = bootstrap_intervals(result.per_user[[measure]].to_numpy(dtype=float))[0]
        axes.barh(row, mean, height=0.66, color=look.fill, edgecolor=look.colour, linewidth=1.6)
        reach = [[max(mean - low, 0)], [max(high - mean, 0)]]
        if high > low:
            axes.errorbar(mean, row, xerr=reach, color=INK, capsize=3, linewidth=1.2, path_effects=_HALO)
        x, side = (low, "right") if signed and mean < 0 else (high, "left")
        gap = {"right": (-5, 0), "left": (5, 0)}[side]
        axes.annotate(
            f"{mean:+.3f}" if signed else f"{mean:.4f}",
            (x, row), xytext=gap, textcoords="offset points", ha=side, va="center", fontsize=9, color=INK
        )  # fmt: skip
        highest = max(highest, high)
    axes.set_yticks(range(len(systems)), [result.name for result in systems])
    axes.set_ylim(-0.6, len(systems) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    if not signed:
        axes.set_xlim(0, highest * 1.2 or 1)


def _with_looks(results: Results) -> list[tuple[SystemResult, Look]]:
    looks = style.looks(results)
    return [(result, looks[result.name]) for result in results.systems]


def at_main(results: Results, measure: str) -> str:
    """A measure at the list length of the main one."""
    return f"{measure}@{results.protocol.main.partition('@')[2]}"
