"""What accuracy costs in novelty: lists of one model at several popularity weights and explore shares.

    python benchmarks/familiarity.py --data-path atomic --datasets foursquare_nyc lastfm1k_plays
    python benchmarks/familiarity.py --data-path atomic --datasets foursquare_nyc --checkpoint saved/FILE.pth

Trains PopSASRec on the training part of a global temporal split (or takes a model that is trained), makes
lists for the test users, prints a Markdown table and draws the curve.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recbole_popaware.config import Config
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.evaluator import PopAwareEvaluator
from recbole_popaware.quick_start import Prepared, load_data_and_model, train_and_evaluate
from recbole_popaware.recommending.options import ListRules
from recbole_popaware.recommending.scorer import score_rows
from recbole_popaware.recommending.selection import choose, weigh

HERE = Path(__file__).parent
K = 10
MEASURES = ("GradedNDCG", "RepeatRecall", "ExploreRecall", "RepeatShare", "PersonalNovelty")
WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
ROOM = (62, 20)  # pixels that a label needs
Results = list[tuple[ListRules, dict[str, float]]]


def main() -> None:
    """Measure every data set and draw all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", nargs="+", default=["foursquare_nyc"])
    parser.add_argument("--data-path", default="atomic", help="folder of data sets")
    parser.add_argument("--model", default="PopSASRec")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--checkpoint", help="a model trained under GTS, instead of training one")
    parser.add_argument("--figure", type=Path, default=HERE.parent / "docs" / "familiarity.png")
    arguments = parser.parse_args()
    curves = {}
    for name in arguments.datasets:
        curves[name] = measure(load(arguments, name))
        print_table(name, curves[name])
    draw(curves, arguments.figure)


def load(arguments: argparse.Namespace, dataset: str) -> Prepared:
    """Load a model that is trained, or train one first."""
    measures = {"metrics": list(MEASURES), "topk": [K], "valid_metric": f"GradedNDCG@{K}"}
    file = arguments.checkpoint
    if file is None:
        files = [str(HERE / f"{dataset}.yaml"), str(HERE / "gts.yaml")]
        own = {**measures, "data_path": arguments.data_path, "epochs": arguments.epochs}
        file = train_and_evaluate(Config(arguments.model, dataset, files, own, argv=()))["checkpoint"]
        print(f"\ntrained: {file}")
    return load_data_and_model(file, {**measures, "data_path": arguments.data_path}, log=False)


@torch.inference_mode()
def measure(experiment: Prepared) -> Results:
    """Score every batch of the test part once, and judge the lists of every rule."""
    model, dataset = experiment.model.eval(), experiment.dataset
    rules = [ListRules(K, popularity_weight=weight) for weight in WEIGHTS]
    rules += [ListRules(K, explore_share=share) for share in SHARES]
    collectors = [PopAwareCollector(experiment.config) for _ in rules]
    for collector in collectors:
        collector.data_collect(experiment.train_data)
    for rows, _, positive_u, positive_i in experiment.test_data:
        users, ends, device = rows[dataset.uid_field], rows[dataset.end_field], experiment.config["device"]
        counts = dataset.history.counts(users, ends, dataset.item_num, device=device)
        scores = score_rows(model, rows.to(device))
        for rule, collector in zip(rules, collectors):
            weighed = weigh(scores.network, scores.popularity, rule.popularity_weight)
            items, _ = choose(weighed, counts, rule)
            by_rank = torch.arange(K, 0, -1, device=items.device, dtype=torch.float32)
            ranked = torch.full_like(scores.network, -torch.inf)
            ranked.scatter_(1, items, by_rank.expand(len(items), -1))
            collector.eval_batch_collect(ranked, rows, positive_u, positive_i)
    evaluator = PopAwareEvaluator(experiment.config)
    return [
        (rule, dict(evaluator.evaluate(collector.get_data_struct())))
        for rule, collector in zip(rules, collectors)
    ]


def print_table(name: str, results: Results) -> None:
    """Print the measures of each rule as a Markdown table."""
    names = [f"{measure}@{K}" for measure in MEASURES]
    print(f"\n{name}\n\n| W | S | " + " | ".join(names) + " |")
    print("|---" * (2 + len(names)) + "|")
    for rule, measured in results:
        values = " | ".join(f"{measured[name.lower()]:.4f}" for name in names)
        print(f"| {rule.popularity_weight:g} | {rule.explore_share:g} | {values} |")


def draw(curves: dict[str, Results], figure: Path) -> None:
    """Draw accuracy over novelty, and hits among new items over hits among repeats."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    axes_names = (("PersonalNovelty", "GradedNDCG"), ("ExploreRecall", "RepeatRecall"))
    drawn, grid = pyplot.subplots(len(curves), 2, figsize=(11, 4.2 * len(curves)), squeeze=False)
    for row, (name, results) in zip(grid, curves.items()):
        for axes, (across, up) in zip(row, axes_names):
            _draw_panel(axes, results, f"{across}@{K}", f"{up}@{K}")
            axes.set_title(name)
    grid[0, 0].legend(loc="lower left")
    drawn.tight_layout()
    drawn.savefig(figure, dpi=110)
    print(f"\ndrawn: {figure}")


def _draw_panel(axes: Any, results: Results, across: str, up: str) -> None:
    weights = [(f"W={rule.popularity_weight:g}", measured) for rule, measured in results[: len(WEIGHTS)]]
    shares = [(f"S={rule.explore_share:g}", measured) for rule, measured in results[len(WEIGHTS) :]]
    as_trained = results[WEIGHTS.index(1.0)][1]
    for label, part, style in (
        ("popularity weight W (S = 0)", weights, "o-"),
        ("explore share S (W = 1)", [("", as_trained), *shares], "s--"),
    ):
        points = [(measured[across.lower()], measured[up.lower()]) for _, measured in part]
        axes.plot(*zip(*points), style, label=label, markersize=4)
    axes.margins(0.12)
    axes.set_xlabel(across + (" (bits)" if "Novelty" in across else ""))
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.autoscale_view()  # sets the limits, on which the pixels depend
    taken: list[Any] = []
    for name, measured in [("as trained", as_trained), *weights, *shares]:
        point = (measured[across.lower()], measured[up.lower()])
        pixel = axes.transData.transform(point)
        if all((np.abs(pixel - other) > ROOM).any() for other in taken):  # else labels lie on one another
            taken.append(pixel)
            shift = (-4, -12) if name.startswith("W") else (4, 6)
            side = "right" if name.startswith("W") else "left"
            axes.annotate(name, point, xytext=shift, textcoords="offset points", fontsize=8, ha=side)


if __name__ == "__main__":
    main()
