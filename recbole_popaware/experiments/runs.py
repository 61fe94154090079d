"""The runs of a plan: trainings with complete settings, in which mistakes are seen before hours are spent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recbole.utils import ModelType

from recbole_popaware.config import Config
from recbole_popaware.data.protocol import GENERAL_TYPES, ranks_later_plays
from recbole_popaware.errors import UsageError, did_you_mean, shown
from recbole_popaware.experiments.plan import Plan, System
from recbole_popaware.model.sequential_recommender import MostPop
from recbole_popaware.pretraining import is_pretraining

# Properties that name folders and devices, and change no result.
_NEUTRAL = (
    *("data_path", "checkpoint_dir", "show_progress", "state", "gpu_id", "log_wandb", "wandb_project"),
    *("save_dataset", "dataset_save_path", "save_dataloaders", "dataloaders_save_path"),
)
# Properties of the evaluation that are neither RecBole's nor in eval_args.
_RULES = ("targets", "mask_history", "kept_users", "valid_users", "train_until")


@dataclass(frozen=True)
class Run:
    """One training: a system with one seed.

    Attributes:
        system: The system.
        seed: Its seed.
        settings: Properties for its ``Config``, plain values only.
        effective: All properties that its numbers depend on, defaults too.
    """

    system: System
    seed: int
    settings: Mapping[str, Any]
    effective: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its name in the output folder."""
        return f"{self.system.name}.{self.seed}"

    def fingerprint(self, data: str) -> str:
        """Identify the run: two runs with the same fingerprint give the same numbers.

        Args:
            data: Digest of the data.
        """
        text = json.dumps([self.effective, data], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Protocol:
    """What all systems of an experiment share.

    Attributes:
        file: The ``.inter`` file.
        preset: The property ``protocol``: ``corrected`` or ``paper``.
        measures: Names as they are written in ``metrics``.
        topk: Lengths of the ranked lists.
        main: The measure that picks epochs, such as ``GradedNDCG@10``.
        eval_args: How the data are split and ranked.
        rules: Our properties that say who is evaluated, and on what.
    """

    file: Path
    preset: str
    measures: tuple[str, ...]
    topk: tuple[int, ...]
    main: str
    eval_args: Mapping[str, Any]
    rules: Mapping[str, Any] = field(default_factory=dict)

    def properties(self) -> dict[str, Any]:
        """The same by the names of properties."""
        of_data = {"data": self.file, "protocol": self.preset, "eval_args": self.eval_args, **self.rules}
        return {**of_data, "metrics": self.measures, "topk": self.topk, "valid_metric": self.main}


def make_runs(plan: Plan, overrides: Mapping[str, Any], seeds: int) -> tuple[list[Run], Protocol]:
    """Make the runs of all systems; those that learn get several seeds.

    Args:
        plan: The experiment.
        overrides: Properties of the command line, which win over the file's.
        seeds: How many seeds for systems that learn: base seed, base seed + 1, and so on.

    Raises:
        UsageError: If a model or property is not known, a value cannot work, or systems differ in what they
            must share.
    """
    runs, protocols, known = [], {}, set()
    for system in plan.systems:
        settings = {**plan.settings, **system.settings, **overrides, "save_per_user": True}
        config = _config(plan, system, settings)
        for name in system.settings:
            _check_known(name, config.known_properties(), f"system [{system.name}]: property")
        known |= config.known_properties()
        settings["data_path"] = str(Path(config["data_path"]).parent.resolve())
        protocols[system.name] = _protocol(config)
        learns = not issubclass(config.model_class, MostPop) and config["MODEL_TYPE"] != ModelType.TRADITIONAL
        for seed in range(config["seed"], config["seed"] + (seeds if learns else 1)):
            effective = {**json.loads(config.settings_as_text()), "seed": seed}
            effective = {name: value for name, value in effective.items() if name not in _NEUTRAL}
            runs.append(Run(system, seed, {**settings, "seed": seed}, effective))
    for name in (*plan.settings, *overrides):
        _check_known(name, known, "property")
    return runs, _shared(protocols)


def _config(plan: Plan, system: System, settings: dict[str, Any]) -> Config:
    try:
        config = Config(system.model, plan.dataset, config_dict=settings, argv=())
    except UsageError as error:
        raise UsageError(f"system [{system.name}]: {error}") from error
    if config["eval_args"]["mode"] != {"valid": "full", "test": "full"}:
        raise UsageError(
            f"system [{system.name}]: mode is {config['eval_args']['mode']}, but an experiment ranks the "
            f"whole catalogue: say mode: full"
        )
    if config["MODEL_TYPE"] in GENERAL_TYPES and not ranks_later_plays(config):
        raise UsageError(
            f"system [{system.name}]: RecBole's defaults for {system.model} split plays at random and hide "
            f"those of training, unlike those for sequential models; say for all systems eval_args with "
            f"split: {{GTS: [0.8, 0.1, 0.1]}}, or with split: {{LS: valid_and_test}} and order: TO"
        )
    if is_pretraining(config):
        raise UsageError(
            f"system [{system.name}]: train_stage [{config['train_stage']}] ends without a validation; "
            f"pretrain by itself, and say train_stage: finetune and pre_model_path here"
        )
    return config


def _protocol(config: Config) -> Protocol:
    folder = Path(config["data_path"]).resolve()  # RecBole has joined the data set's name to it
    metrics = {name.lower(): name for name in config["metrics"]}
    name, _, k = config["valid_metric"].partition("@")
    return Protocol(
        file=folder / f"{config['dataset']}.inter",
        preset=config["protocol"],
        measures=tuple(metrics.values()),
        topk=tuple(config["topk"]),
        main=f"{metrics[name.lower()]}@{k}",
        eval_args=config["eval_args"],
        rules={name: config[name] for name in _RULES},
    )


def _shared(protocols: Mapping[str, Protocol]) -> Protocol:
    (first, protocol), *rest = protocols.items()
    for name, other in rest:
        mine, theirs = protocol.properties(), other.properties()
        for key in mine:
            if mine[key] != theirs[key]:
                raise UsageError(
                    f"systems [{first}] and [{name}] differ in {key}, {shown(mine[key])} and "
                    f"{shown(theirs[key])}; side by side they must share it"
                )
    return protocol


def _check_known(name: str, known: set[str], what: str) -> None:
    if name not in known:
        raise UsageError(f"{what} [{name}] is not known{did_you_mean(name, known)}")
