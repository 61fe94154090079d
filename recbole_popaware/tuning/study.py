"""The settings of a search, some properties of which vary, and its trials."""

from __future__ import annotations

import hashlib
import json
from logging import getLogger
from pathlib import Path
from typing import Any

from recbole_popaware import properties
from recbole_popaware.config import Config
from recbole_popaware.data.utils import SharedData, data_properties
from recbole_popaware.errors import UsageError, did_you_mean
from recbole_popaware.launch import Request
from recbole_popaware.quick_start import prepare
from recbole_popaware.tensorboard import ROOT
from recbole_popaware.tuning.objective import Task, objective_function
from recbole_popaware.tuning.results import Results, Trial, trials_folder
from recbole_popaware.tuning.space import Space

logger = getLogger(__name__)

# Properties that change no result, and are therefore no part of a trial's name.
RUN_PROPERTIES = (
    *("checkpoint_dir", "tensorboard_dir", "show_progress", "state", "gpu_id", "use_gpu"),
    *("log_wandb", "wandb_project", "save_dataset", "save_dataloaders", "save_per_user"),
)
# Properties without which scores cannot be compared.
FIXED_PROPERTIES = ("model", "dataset", "metrics", "topk", "valid_metric", "valid_metric_bigger")


class Study:
    """The trials of one search, known or to be run.

    Args:
        request: The settings.
        config: The same, read.
        space: Properties that vary, and their values.
        results: Trials known already.

    Raises:
        UsageError: If a property cannot be tuned, or not with these values.
    """

    def __init__(self, request: Request, config: Config, space: Space, results: Results) -> None:
        self.request, self.config, self.results = request, config, results
        self.space = space.without(self._of_other_models(space))
        self.shared = SharedData()
        self._check()
        settings = _settings(config)
        left_out = {*RUN_PROPERTIES, *(dimension.name for dimension in space.dimensions)}
        self._fixed = {name: value for name, value in settings.items() if name not in left_out}

    def load_data(self) -> None:
        """Load the data, unless they differ from trial to trial, so that mistakes in them show at once.

        Raises:
            UsageError: If they cannot be used.
        """
        if not data_properties(self.config) & {d.name for d in self.space.dimensions}:
            prepare(Config(config_dict=_settings(self.config), argv=()), self.shared)

    def look_up(self, params: dict[str, Any]) -> Trial | Task:
        """Find the trial of a point: finished, impossible, or to be run."""
        named = json.dumps([self._fixed, params], sort_keys=True)
        key = hashlib.sha256(named.encode()).hexdigest()[:12]
        if key in self.results.trials:
            return self.results.trials[key]
        try:
            settings = _settings(self.request.config(**params))
        except UsageError as error:
            return Trial(key, params, error=" ".join(str(error).split()))
        folders = (trials_folder(self.results.file), ROOT / self.results.file.stem)
        weights, curves = (str(folder.resolve() / key) for folder in folders)
        return Task(key, params, json.dumps(settings), weights, curves)

    def run(self, params: dict[str, Any]) -> Trial:
        """Find the trial of a point, and run it here if it has to be."""
        trial = self.look_up(params)
        return trial if isinstance(trial, Trial) else objective_function(trial, self.shared)

    def _of_other_models(self, space: Space) -> set[str]:
        """Tuned properties that this model does not know but others of RecBole do: they change no result.

        Files for several models, such as RecBole's example ``hyper.test``, name some.
        """
        unknown = {d.name for d in space.dimensions} - self.config.known_properties()
        foreign = unknown & properties.of_stock_models()
        if len(foreign) == len(space.dimensions):
            return set()  # the check says what is wrong
        for name in sorted(foreign):
            logger.warning("property [%s] is none of %s and is not tuned", name, self.config["model"])
        return foreign

    def _check(self) -> None:
        if not self.config["eval_step"]:
            raise UsageError("eval_step is [0], but a search needs a validation to compare trials by")
        known = self.config.known_properties()
        for name, _, _ in self.space.dimensions:
            if name not in known or name in (*RUN_PROPERTIES, *FIXED_PROPERTIES):
                near = did_you_mean(name, known, cutoff=0.8)
                raise UsageError(
                    f"property [{name}] of {self.config['model']} is not known or cannot be tuned{near}"
                )
            if any(argument.startswith(f"--{name}=") for argument in self.request.argv):
                raise UsageError(f"--{name} is given and tuned too; leave out one")
        for dimension in self.space.dimensions:
            for value in dimension.extremes():
                properties.check({**self.config.final_config_dict, dimension.name: value})


def _settings(config: Config) -> dict[str, Any]:
    """All properties, the folder of the data independent of the working directory."""
    settings: dict[str, Any] = json.loads(config.settings_as_text())
    return {**settings, "data_path": str(Path(settings["data_path"]).resolve())}
