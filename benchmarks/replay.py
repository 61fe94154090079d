"""What PopOnly reaches: repeats and discoveries under a border in time, and the next play; a JSON line each.

    python benchmarks/replay.py atomic foursquare_nyc
    python benchmarks/replay.py atomic lastfm1k_plays --seeds 3 --set replay_terms="['record']"

``unmasked`` are measures of whole lists, ``new_only`` those of the same weights with played items left out.
Seconds are those of training with its validations, on the threads that PyTorch takes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

GTS = {"split": {"GTS": [0.8, 0.1, 0.1]}, "order": "TO", "mode": "full"}
NEXT = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"}
SETTINGS = {"topk": [10, 100], "show_progress": False, "state": "ERROR"}
GRADED = {"metrics": ["GradedNDCG", "RepeatRecall", "ExploreRecall"], "valid_metric": "GradedNDCG@10"}
EXACT = {"metrics": ["NDCG", "RepeatRecall", "ExploreRecall"], "valid_metric": "NDCG@10"}


def main() -> None:
    """Train and evaluate with each seed under both splits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_path", help="folder of converted data sets")
    parser.add_argument("dataset")
    parser.add_argument("--model", default="PopOnly")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--splits", nargs="+", choices=("gts", "next"), default=["gts", "next"])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="properties")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads it too
    from recbole_popaware.literals import parse_literal

    given = dict(pair.split("=", 1) for pair in arguments.set)
    properties = {name: parse_literal(value) for name, value in given.items()}
    for split in arguments.splits:
        for seed in range(2020, 2020 + arguments.seeds):
            settings = {**SETTINGS, "data_path": arguments.data_path, "seed": seed, **properties}
            line = measure(arguments.model, arguments.dataset, split, settings)
            print(
                json.dumps({"dataset": arguments.dataset, "split": split, "seed": seed, **line}), flush=True
            )


def measure(model: str, dataset: str, split: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train one model, and evaluate its checkpoint with played items and, under GTS, without."""
    from only_new import only_new

    from recbole_popaware.quick_start import run_recbole_popaware

    protocol = {"eval_args": GTS, **GRADED} if split == "gts" else {"eval_args": NEXT, **EXACT}
    with TemporaryDirectory() as folder:
        kept = {"checkpoint_dir": folder, "tensorboard_dir": str(Path(folder, "curves"))}
        result = run_recbole_popaware(model, dataset, config_dict={**settings, **protocol, **kept})
        line = {
            "model": model,
            "seconds": round(result["seconds"], 1),
            "epochs": result["epochs"],
            "valid": result["best_valid_score"],
            "unmasked": result["test_result"],
        }
        if split == "gts":
            line["new_only"] = only_new(result["checkpoint"])
    return line


if __name__ == "__main__":
    main()
