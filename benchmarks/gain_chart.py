"""Draw docs/gain.png: what the popularity head adds to trained networks, beside counts without a network.

    python benchmarks/gain_chart.py results/foursquare results/lastfm-plays

Reads the ``results.json`` of experiments, and shows the mean over the seeds of the test part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
MEASURE = "GradedNDCG@10"
PAIRS = (("SASRec", "PopSASRec"), ("gSASRec", "PopGSASRec"), ("BERT4Rec", "PopBERT4Rec"))
TITLES = {"foursquare_nyc": "Check-ins in New York", "lastfm1k_plays": "Last.fm plays"}
PLAIN, HEAD, COUNT = "#9A9A9A", "#0072B2", "#D55E00"


def main() -> None:
    """Draw a panel for each experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="folders of experiments")
    parser.add_argument("--counts", default="DecayedMostPop", help="systems that are counts, by their prefix")
    parser.add_argument("--figure", type=Path, default=HERE.parent / "docs" / "gain.png")
    arguments = parser.parse_args()
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for axes, folder in zip(figure.subplots(1, len(arguments.results), squeeze=False)[0], arguments.results):
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        draw(axes, results, arguments.counts)
    marks = dict(zip(*figure.axes[0].get_legend_handles_labels()[::-1]))  # one of each label
    figure.legend(marks.values(), marks, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    figure.supxlabel(f"{MEASURE} of all that users play after a point in time", fontsize=9)
    figure.savefig(arguments.figure, dpi=150)


def draw(axes: Axes, results: dict[str, Any], counts: str) -> None:
    """Draw each network alone and with the head, and the count that is best on the validation part."""
    systems = {system["name"]: system for system in results["systems"]}
    pairs = [(plain, head) for plain, head in PAIRS if {plain, head} <= systems.keys()]
    rows = range(len(pairs))[::-1]
    for row, (plain, head) in zip(rows, pairs):
        before, after = test_score(systems[plain]), test_score(systems[head])
        axes.plot([before, after], [row, row], color=HEAD, linewidth=2, zorder=1)
        axes.scatter(
            before, row, s=70, facecolor="white", edgecolor=PLAIN, linewidth=2, label="network alone"
        )
        axes.scatter(after, row, s=70, color=HEAD, label="with the popularity head")
        for score, colour in ((before, "#4D4D4D"), (after, HEAD)):
            style = {"ha": "center", "fontsize": 8, "color": colour}
            axes.annotate(f"{score:.3f}", (score, row), (0, 8), textcoords="offset points", **style)
    best = max((s for name, s in systems.items() if name.startswith(counts)), key=valid_score)
    axes.axvline(test_score(best), color=COUNT, linestyle="--", label="faded counts, no network")
    axes.set_yticks(list(rows), [plain for plain, _ in pairs])
    axes.set_ylim(-0.5, len(pairs) - 0.3)
    axes.margins(x=0.15)
    axes.set_title(TITLES.get(results["dataset"], results["dataset"]), fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e3e3e3")
    axes.set_axisbelow(True)


def test_score(system: dict[str, Any]) -> float:
    """Mean of the seeds on the test part."""
    return float(system["mean"][MEASURE])


def valid_score(system: dict[str, Any]) -> float:
    """Mean of the seeds on the validation part."""
    scores = [run["best_valid_result"][MEASURE.lower()] for run in system["runs"]]
    return float(sum(scores) / len(scores))


if __name__ == "__main__":
    main()
