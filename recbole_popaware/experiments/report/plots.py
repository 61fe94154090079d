"""The plots of an experiment as PNG files, each with the words that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from matplotlib.figure import Figure

from recbole_popaware.experiments.report import charts, gain_charts
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.files import replacing


@dataclass(frozen=True)
class Picture:
    """A plot in a file, with its words.

    Attributes:
        file: The PNG file.
        title: Headline.
        caption: How to read it.
        alt: What it shows, for those who do not see it.
    """

    file: Path
    title: str
    caption: str
    alt: str


@dataclass(frozen=True)
class _Plot:
    """A plot that can be drawn; ``{main}`` in its text becomes the main measure."""

    name: str
    title: str
    draw: Callable[[Results], Figure | None]
    kind: str
    caption: str
    spelt: Sequence[str] = ()  # measures whose values the alternative text spells out


PLOTS = (
    _Plot(
        "accuracy",
        "Accuracy",
        charts.accuracy,
        "Bar chart of {main}",
        "Mean over the test users; whiskers are 95 % bootstrap intervals over users. A plain system and the "
        "one that improves on it share a colour; the plain one is hollow.",
        ("{main}",),
    ),
    _Plot(
        "over_k",
        "Accuracy by length of the list",
        charts.over_k,
        "Line chart of the main measure over the length of the list",
        "Dashed lines and hollow points are plain systems.",
    ),
    _Plot(
        "repeat_explore",
        "Repeats against discoveries",
        charts.repeat_against_explore,
        "Scatter plot of recall of known items against recall of new items",
        "Up: finds more of what users play again. Right: finds more of what is new to them. Lines join a "
        "plain system with the one that improves on it.",
        ("RepeatRecall", "ExploreRecall"),
    ),
    _Plot(
        "repeat_bias",
        "Repeat bias",
        charts.repeat_bias,
        "Bar chart of repeat bias",
        "Right of 0, lists repeat more than their users do; left of 0, less. Whiskers are 95 % bootstrap "
        "intervals.",
        ("RepeatBias",),
    ),
    _Plot(
        "curves",
        "Validation while training",
        charts.curves,
        "Line chart of {main} on the validation part over epochs",
        "The point is the best epoch, whose weights are tested. Straight lines belong to systems that learn "
        "nothing. A curve that still rises at its end speaks of too few epochs.",
    ),
    _Plot(
        "gain_by_repeats",
        "Who gains: by repeat share",
        gain_charts.gain_by_repeats,
        "Points with whiskers: gain in {main} over the plain system in five groups of users by repeat share",
        "Users in five groups of about equal size, by the share of their plays that were repeats. Points are "
        "mean gains, whiskers 95 % t-intervals.",
    ),
    _Plot(
        "gain_by_length",
        "Who gains: by length of the history",
        gain_charts.gain_by_length,
        "Points with whiskers: gain in {main} over the plain system in five groups of users by plays",
        "The same for users grouped by how much they have played.",
    ),
)


def write_plots(results: Results, folder: Path) -> list[Picture]:
    """Draw all plots that the measures allow for into a folder; plots of earlier runs go."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    pictures = []
    for plot in PLOTS:
        drawn = plot.draw(results) if results.systems else None
        if drawn is not None:
            file = folder / f"{plot.name}.png"
            with replacing(file) as part:
                drawn.savefig(part, format="png")
            pictures.append(Picture(file, plot.title, plot.caption, _alternative(plot, results)))
    return pictures


def _alternative(plot: _Plot, results: Results) -> str:
    main = results.protocol.main
    text = [plot.kind.format(main=main)]
    for measure in plot.spelt:
        name = main if measure == "{main}" else charts.at_main(results, measure)
        text.append(f"{name}: " + ", ".join(f"{f.system.name} {f.mean(name):.4f}" for f in results.systems))
    return ". ".join(text) + "."
