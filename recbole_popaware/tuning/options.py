"""How to search."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from recbole_popaware.errors import UsageError

ALGORITHMS = ("exhaustive", "random", "bayes")
TOOLS = ("hyperopt", "ray")


@dataclass(frozen=True)
class Options:
    """How to search; the names are those of RecBole's ``run_hyper.py``.

    Attributes:
        algo: ``exhaustive``, ``random`` or ``bayes``.
        max_evals: Most trials.
        output_file: The results; default: ``MODEL-DATASET.tuning.jsonl`` in ``checkpoint_dir``.
        display_file: An HTML file for a picture of the scores.
        tool: ``hyperopt``, one trial after the other, or ``ray``, many at once.
        ray_address: A running Ray cluster; default: Ray is started on this machine.
        workers: Trials at once; default: as many as there are GPUs, or else CPUs.

    Raises:
        UsageError: If a value cannot work, or what it needs is not installed.
    """

    algo: str = "exhaustive"
    max_evals: int | None = None
    output_file: str | os.PathLike[str] | None = None
    display_file: str | os.PathLike[str] | None = None
    tool: str = "hyperopt"
    ray_address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_evals", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is [{value}], but must be at least 1")
        for name, accepted in (("algo", ALGORITHMS), ("tool", TOOLS)):
            if getattr(self, name) not in accepted:
                raise UsageError(
                    f"{name} is [{getattr(self, name)}], but must be one of {', '.join(accepted)}"
                )
        for module in ("hyperopt", "ray")[: 1 + (self.tool == "ray")]:
            if importlib.util.find_spec(module) is None:
                raise UsageError(f"this search needs {module}; docs/tuning.md says how to install it")
        if self.display_file is not None and not Path(self.display_file).resolve().parent.is_dir():
            raise UsageError(f"display_file is [{self.display_file}], but that folder is not there")
