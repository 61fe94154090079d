"""Measures of trained systems with played items left out, new items as targets; a JSON line for each run.

    python benchmarks/only_new.py results/competitors-foursquare

The weights are those of the experiment, whose best epochs were picked by whole lists. Systems of one's own
validation by new items: ``--mask_history=True --output DIR`` when the experiment runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    """Evaluate the checkpoint of every finished run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="output folder of an experiment")
    parser.add_argument("--only", nargs="+", metavar="SYSTEM")
    arguments = parser.parse_args()
    sys.argv = sys.argv[:1]  # RecBole reads it too
    for file in sorted(arguments.results.glob("runs/*/result.json")):
        system, seed = file.parent.name.rsplit(".", 1)
        if arguments.only is None or system in arguments.only:
            checkpoint = file.parent / json.loads(file.read_text())["checkpoint"]
            line = {"system": system, "seed": int(seed), "new_only": only_new(checkpoint)}
            print(json.dumps(line), flush=True)


def only_new(checkpoint: str | Path) -> dict[str, float]:
    """Test measures of a checkpoint with played items left out."""
    from recbole_popaware.quick_start import load_data_and_model
    from recbole_popaware.utils import get_trainer

    masked = load_data_and_model(str(checkpoint), {"mask_history": True}, log=False)
    trainer = get_trainer(masked.config["MODEL_TYPE"], masked.config["model"])(masked.config, masked.model)
    trainer.eval_collector.data_collect(masked.train_data)
    measures: dict[str, float] = trainer.evaluate(
        masked.test_data, load_best_model=False, show_progress=False
    )
    return {name: float(value) for name, value in measures.items()}


if __name__ == "__main__":
    main()
