"""The charts of an experiment as PNG files, each with its caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from recbole_popaware.experiments.report import charts, gain_charts, maps
from recbole_popaware.experiments.report.results import Results
from recbole_popaware.files import replacing


@dataclass(frozen=True)
class Picture:
    """A chart in a file, with its texts.

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
    """A chart that can be drawn; ``{main}`` in its text becomes the main measure."""

    name: str
    title: str
    draw: Callable[[Results], Figure | None]
    kind: str
    caption: str
    values: Sequence[str] = ()  # measures whose values the alternative text gives


PLOTS = (
    _Plot(
        "accuracy",
        "Accuracy",
        charts.accuracy,
        "Bar chart of {main}",
        "Mean over the test users; whiskers are 95 % bootstrap intervals over users. A base and its variants "
        "share a colour; bars of bases are hollow.",
        ("{main}",),
    ),
    _Plot(
        "over_k",
        "Accuracy by length of the list",
        charts.over_k,
        "Line chart of the main measure over the length of the list",
        "Mean over the test users. Dashed lines and hollow points are bases. The vertical axis need not "
        "begin at 0.",
    ),
    _Plot(
        "repeat_explore",
        "Recall of known and of new items",
        charts.repeat_and_explore,
        "Bar charts of recall of known items and of recall of new items",
        "Left: of the items that users play again, the share that is recommended to them. Right: the same of "
        "items that are new to them. Mean over the test users; whiskers are 95 % bootstrap intervals.",
        ("RepeatRecall", "ExploreRecall"),
    ),
    _Plot(
        "repeat_explore_map",
        "Known items against new items",
        maps.repeat_explore_map,
        "Map of all systems by recall of known items and recall of new items",
        "Each system is a point: further right, more of the items that users play again are recommended; "
        "further up, more of the items that are new to them. Lines join a base (hollow) and its variants. "
        "The axes need not begin at 0.",
    ),
    _Plot(
        "repeat_bias",
        "Repeat bias",
        charts.repeat_bias,
        "Bar chart of repeat bias",
        "Right of 0, lists repeat more than their users do; left of 0, less. Whiskers are 95 % bootstrap "
        "intervals over users.",
        ("RepeatBias",),
    ),
    _Plot(
        "curves",
        "Validation while training",
        charts.curves,
        "Line chart of {main} on the validation part over epochs",
        "The point is the best epoch, whose weights are tested. Horizontal lines are systems that have "
        "nothing to learn. Still improving: the last epoch was the best.",
    ),
    _Plot(
        "accuracy_by_time",
        "Accuracy against training time",
        maps.accuracy_by_time,
        "Map of all systems by seconds of training and {main}",
        "Further up is better, further left is faster. Systems that have nothing to learn are at the left; "
        "the table of costs has what their evaluation takes. Compare seconds within one experiment only. "
        "Lines join a base (hollow) and its variants.",
    ),
    _Plot(
        "gain_by_repeats",
        "Difference from the base by repeat share",
        gain_charts.gain_by_repeats,
        "Points with whiskers: difference in {main} from the base in five groups of users by repeat share",
        "Users in five groups of about equal size, by the share of the plays in their history that were "
        "repeats. Points are mean differences, whiskers 95 % t-intervals; above 0 the variant is better.",
    ),
    _Plot(
        "gain_by_length",
        "Difference from the base by length of the history",
        gain_charts.gain_by_length,
        "Points with whiskers: difference in {main} from the base in five groups of users by plays",
        "The same for users grouped by the number of plays in their history.",
    ),
)


def write_plots(results: Results, folder: Path) -> list[Picture]:
    """Draw all charts that the measures allow for into a folder; earlier ones are removed."""
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
    for measure in plot.values:
        name = main if measure == "{main}" else charts.at_main(results, measure)
        text.append(
            f"{name}: " + ", ".join(f"{result.name} {result.mean(name):.4f}" for result in results.systems)
        )
    return ". ".join(text) + "."
