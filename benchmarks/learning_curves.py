"""How fast networks learn: validation score by steps and CPU seconds of training, a JSON line each.

    python benchmarks/learning_curves.py atomic foursquare_nyc
    python benchmarks/learning_curves.py atomic foursquare_nyc --systems gSASRec --set calibrated_start=False

All plays after a moment are to be predicted (benchmarks/gts.yaml). Seconds are those of the process in
training, without validation. ``mean_cosine`` is that between users' states (recbole_popaware/collapse.py).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLAIN = {"popularity_head": "none"}
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "SASRec": ("PopSASRec", PLAIN),
    "SASRec-BCE": ("PopSASRec", {**PLAIN, "loss_type": "BCE", "negatives": 1, "shared_negatives": False}),
    "gSASRec": ("PopGSASRec", PLAIN),
    "BERT4Rec": ("PopBERT4Rec", PLAIN),
    "PopSASRec": ("PopSASRec", {}),
    "PopGSASRec": ("PopGSASRec", {}),
    "PopBERT4Rec": ("PopBERT4Rec", {}),
}
SETTINGS = {"MAX_ITEM_LIST_LENGTH": 50, "train_batch_size": 16, "state": "ERROR", "show_progress": False}


def main() -> None:
    """Train each system and print its curve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_path", help="folder of converted data sets")
    parser.add_argument("dataset")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["gSASRec", "BERT4Rec", "SASRec"])
    parser.add_argument("--steps", nargs="+", type=int, default=[500, 1000, 1500, 2000])
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="properties of all systems"
    )
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    for system in arguments.systems:
        for point in curve(system, arguments):
            print(json.dumps({"system": system, "dataset": arguments.dataset, **point}), flush=True)


def curve(system: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train a system and validate it after each of the numbers of steps."""
    import torch

    from recbole_popaware.collapse import mean_cosine
    from recbole_popaware.config import Config
    from recbole_popaware.quick_start import prepare
    from recbole_popaware.utils import get_trainer

    name, own = SYSTEMS[system]
    of_run = {"data_path": arguments.data_path, "dataset": arguments.dataset, "seed": arguments.seed}
    argv = [f"--{setting}" for setting in arguments.set]
    experiment = prepare(Config(name, None, [HERE / "gts.yaml"], {**SETTINGS, **own, **of_run}, argv=argv))
    config, model = experiment.config, experiment.model
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.eval_collector.data_collect(experiment.train_data)
    trainer.follow_schedule(max(arguments.steps))
    batches = (batch for _ in repeat(None) for batch in experiment.train_data)
    first = next(iter(experiment.valid_data))[0]
    trained, seconds = 0, 0.0
    for steps in sorted(arguments.steps):
        start = time.process_time()
        with torch.autograd.set_detect_anomaly(False):  # RecBole's SINE turns it on
            loss = trainer._train_epoch(list(islice(batches, steps - trained)), 0)
        seconds += time.process_time() - start
        score, _ = trainer._valid_epoch(experiment.valid_data)
        with torch.no_grad():
            cosine = mean_cosine(model.last_hidden(first))
        point = {"cpu_seconds": seconds, "loss": loss / (steps - trained), "valid": float(score)}
        yield {"steps": steps, **{k: round(v, 4) for k, v in {**point, "mean_cosine": cosine}.items()}}
        trained = steps


if __name__ == "__main__":
    main()
