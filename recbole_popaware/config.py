"""RecBole's configuration, extended by our models, our property files and our demo data."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

import recbole.config
from recbole.model.abstract_recommender import AutoEncoderMixin
from recbole.utils import InputType, ModelType

from recbole_popaware import compat, properties, schema
from recbole_popaware.data.protocol import GENERAL_TYPES, ranks_later_plays
from recbole_popaware.distributed import join_group
from recbole_popaware.errors import UsageError, did_you_mean, shown
from recbole_popaware.evaluator.evaluator import register_measures
from recbole_popaware.literals import parse_literal, plain
from recbole_popaware.model.adapter import HeadAdapter
from recbole_popaware.model.head_carrier import HeadCarrier
from recbole_popaware.model.losses import LOSS_TYPES
from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.model.rows import DENSE
from recbole_popaware.model.sequential_recommender.poponly import PopOnly
from recbole_popaware.safe_yaml import PlainLoader, read_properties
from recbole_popaware.schema.measures import check_measures, check_value_measures
from recbole_popaware.schema.rules import check_processes
from recbole_popaware.trust import PROCESS_PROPERTIES, keep_harmless, refuse_pickles
from recbole_popaware.utils import get_model

logger = getLogger(__name__)

DEFAULT_DATASET = "demo"

_INTERVALS = tuple(
    f"{kind}_num_interval" for kind in ("user_inter", "item_inter", "entity_kg", "relation_kg")
)
# What general models share with sequential ones, under the splits of those, unless somebody says otherwise.
_SHARED = ("load_col", "eval_args", "metrics", "topk", "valid_metric", "eval_batch_size")

# What RecBole raises for values that it cannot use.
_REFUSALS = (ValueError, TypeError, KeyError, AttributeError, RuntimeError, NotImplementedError, OSError)


class Config(recbole.config.Config):
    """RecBole's ``Config``; differs from stock in what follows.

    * ``model`` may name one of our models, and ``dataset`` defaults to the demo data.
    * After RecBole's property files (for ``Pop<Name>`` those of <Name>) come ours: ``overall.yaml`` (of
      general models only what RecBole has no default for) and ``protocol/PROTOCOL.yaml``,
      ``popularity_head.yaml`` and ``replay.yaml`` (models with these heads),
      ``model/MODEL.yaml``, ``dataset/DATASET.yaml``, and
      ``DATASET.yaml`` beside the atomic files.
    * Values on the command line and in ``config_dict`` are read as Python literals, never evaluated, and
      files as plain YAML (:mod:`.safe_yaml`); every value is checked (:mod:`.schema`).
    * ``load_col`` is RecBole's where it has one for the data set, and ours otherwise.
    * What ``eval_args`` of a sequential model leave out is as in ``properties/overall.yaml``; so are all
      defaults of evaluation for general models under GTS, and under leave-one-out by time.
    * Progress bars show on terminals only.
    * ``train_neg_sample_args`` is empty by default where negatives would be refused (the loss is CE) or
      counted as plays (general models that learn nothing), so that it need not be said.

    Args:
        model: Model name or class.
        dataset: Data set name.
        config_file_list: YAML files, later ones win.
        config_dict: Properties that win over files.
        argv: Arguments of the form ``--key=value`` that win over all; default: the command line's.

    Raises:
        UsageError: If the model is not known or a property has an impossible value.
    """

    parameters: dict[str, list[str]]
    internal_config_dict: dict[str, Any]

    def __init__(
        self,
        model: str | type | None = None,
        dataset: str | None = None,
        config_file_list: Sequence[str] | None = None,
        config_dict: dict[str, Any] | None = None,
        argv: Sequence[str] | None = None,
    ) -> None:
        self._argv = sys.argv[1:] if argv is None else list(argv)
        copied = None if config_dict is None else dict(config_dict)  # stock converts in place
        try:
            super().__init__(model, dataset, config_file_list, copied)
        except UsageError:
            raise
        except _REFUSALS as error:
            raise UsageError(f"the settings cannot work: {shown(error, 500)}") from error

    def settings_as_text(self) -> str:
        """All settings before RecBole derives others from them, as JSON; plain values only."""
        return json.dumps(self._settings)

    def known_properties(self) -> set[str]:
        """Names that RecBole or one of the property files of this model and data set knows."""
        return {*self.internal_config_dict, *(n for names in self.parameters.values() for n in names)}

    def compatibility_settings(self) -> None:
        """Define what RecBole reads from NumPy and in its tables of measures, then let it."""
        compat.restore_numpy_aliases()
        register_measures()
        super().compatibility_settings()

    def _init_parameters_category(self) -> None:
        super()._init_parameters_category()
        # Stock hands out its module's own lists and appends to them.
        self.parameters = {kind: list(names) for kind, names in self.parameters.items()}

    def _build_yaml_loader(self) -> type[PlainLoader]:
        return PlainLoader  # stock's makes objects, and changes PyYAML's own loader for everybody

    def _load_config_files(self, file_list: Sequence[str] | None) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for file in file_list or ():
            settings.update(read_properties(file))
        return settings

    def _update_internal_config_dict(self, file: str | Path) -> dict[str, Any]:
        settings = read_properties(file)
        self.internal_config_dict.update(settings)
        return settings

    def _load_cmd_line(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        for argument in self._argv:
            key, equals, value = argument[2:].partition("=")
            if not (argument.startswith("--") and equals):
                logger.warning("command line argument [%s] is not --key=value and is not used", argument)
            elif settings.setdefault(key, value) != value:
                raise UsageError(f"--{key} is given twice, as [{settings[key]}] and [{value}]")
        return self._convert_config_dict(settings)

    def _convert_config_dict(self, config_dict: dict[str, Any]) -> dict[str, Any]:
        return {key: _literal(value) for key, value in config_dict.items()}

    def _merge_external_config_dict(self) -> None:
        super()._merge_external_config_dict()
        settings = self.external_config_dict
        if type(settings.get("dataset")) is int:  # a folder named 2019
            settings["dataset"] = str(settings["dataset"])
        for name in _INTERVALS:  # [5,100] reads as a list
            if isinstance(settings.get(name), list):
                settings[name] = str(settings[name])
        schema.check_values(settings)
        check_processes(settings)

    def _get_model_and_dataset(self, model: str | type | None, dataset: str | None) -> tuple[str, type, str]:
        model = model or self.external_config_dict.get("model")
        if model is None:
            raise UsageError("no model is named; say --model=PopSASRec, or set `model` in a file")
        dataset = dataset or self.external_config_dict.get("dataset") or DEFAULT_DATASET
        schema.check_values({"model": model, "dataset": dataset})
        model_class = get_model(model) if isinstance(model, str) else model
        return model_class.__name__, model_class, dataset

    def _load_internal_config_dict(self, model: str, model_class: Any, dataset: str) -> None:
        adapted = issubclass(model_class, HeadAdapter)
        of_recbole = model_class.backbone.name if adapted else model
        super()._load_internal_config_dict(of_recbole, model_class, dataset)
        if dataset == DEFAULT_DATASET:
            self.internal_config_dict["data_path"] = str(properties.EXAMPLES)
        data_path = self.external_config_dict.get("data_path", self.internal_config_dict["data_path"])
        of_model = properties.FOLDER / "model" / f"{model}.yaml"
        of_data = [
            properties.FOLDER / "dataset" / f"{dataset}.yaml",
            Path(data_path, dataset, f"{dataset}.yaml"),
        ]
        own_columns = self._columns_of_this_data()
        ours = read_properties(properties.FOLDER / "overall.yaml")
        if model_class.type == ModelType.SEQUENTIAL:
            self.internal_config_dict.update(ours)
        elif model_class.type in GENERAL_TYPES:  # whose defaults stay RecBole's
            self.internal_config_dict = {**ours, **self.internal_config_dict}
        carries_head = issubclass(model_class, HeadCarrier)
        of_head = [properties.FOLDER / "popularity_head.yaml"] if carries_head else []
        if issubclass(model_class, (PopularityAware, PopOnly)):
            of_head.append(properties.FOLDER / "replay.yaml")
        self._update_from([*of_head, of_model])
        self.internal_config_dict.update(own_columns)
        self._defaults = dict(self.internal_config_dict)
        of_files = self._update_from(of_data)
        protocol = self.external_config_dict.get("protocol", self.internal_config_dict.get("protocol"))
        schema.check_values({"protocol": protocol} if protocol is not None else {})
        preset = properties.FOLDER / "protocol" / f"{protocol}.yaml"
        if preset.is_file():  # a preset yields to files about data, which may name it
            of_files = self._update_from([preset, *of_data])
        self._shares_protocol = model_class.type == ModelType.SEQUENTIAL
        if model_class.type in GENERAL_TYPES:
            self._share_protocol(ours, of_files)

    def _columns_of_this_data(self) -> dict[str, Any]:
        """``load_col`` if RecBole has one for this model and data set, such as features of ml-100k."""
        columns = self.internal_config_dict["load_col"]
        every = read_properties(properties.STOCK / "dataset" / "sample.yaml")["load_col"]
        return {} if columns == every else {"load_col": columns}

    def _share_protocol(self, ours: dict[str, Any], of_files: dict[str, Any]) -> None:
        """Evaluate a general model as sequential ones by default are, if it runs under a split of theirs."""
        self._shares_protocol = ranks_later_plays({**self.internal_config_dict, **self.external_config_dict})
        if self._shares_protocol:
            shared = {name: ours[name] for name in _SHARED if name in ours}
            self._defaults.update(shared)
            self.internal_config_dict.update({k: v for k, v in shared.items() if k not in of_files})

    def _update_from(self, files: Sequence[Path]) -> dict[str, Any]:
        """Take properties from those of the files that are there, and return them."""
        taken: dict[str, Any] = {}
        for file in files:
            if file.is_file():
                before = dict(self.internal_config_dict)
                loaded = self._update_internal_config_dict(file) or {}
                if properties.FOLDER not in file.parents:  # it came with the data
                    loaded = keep_harmless(loaded, file)
                    self.internal_config_dict = {**before, **loaded}
                taken.update(loaded)
        return taken

    def _get_final_config_dict(self) -> dict[str, Any]:
        final: dict[str, Any] = super()._get_final_config_dict()
        self._warn_of_unknown_names(final)
        if self._shares_protocol and isinstance(final["eval_args"], dict):
            final["eval_args"] = {**self._defaults["eval_args"], **final["eval_args"]}
        ours = issubclass(self.model_class, PopularityAware)
        if ours or self._needs_no_negatives(final):
            final["train_neg_sample_args"] = self.external_config_dict.get("train_neg_sample_args")
        if not ours and final.get("table_optimizer", DENSE) != DENSE:
            raise UsageError(
                f"table_optimizer: {final['table_optimizer']} is not for {self.model}, but for PopSASRec, "
                f"PopGSASRec and PopBERT4Rec"
            )
        schema.check(final, self._defaults)
        self._check_training(final, ours)
        refuse_pickles(final)
        names = {"model": self.model, "dataset": self.dataset}
        lasting = {k: v for k, v in {**final, **names}.items() if k not in PROCESS_PROPERTIES}
        self._settings = {k: _literal(v) for k, v in lasting.items() if _is_plain(v)}
        return final

    def _needs_no_negatives(self, final: dict[str, Any]) -> bool:
        """Whether negatives, drawn by RecBole's default, are refused, or counted as plays (by Pop)."""
        if final["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            return final.get("loss_type") == "CE"
        return self._shares_protocol and final["MODEL_TYPE"] == ModelType.TRADITIONAL

    def _check_training(self, final: dict[str, Any], ours: bool) -> None:
        adapted = issubclass(self.model_class, HeadAdapter)
        accepted = LOSS_TYPES if ours else self.model_class.backbone.losses if adapted else ("CE", "BPR")
        chosen = final.get("loss_type", "BPR" if adapted else None)  # TransRec has no such property
        fixed = hasattr(self.model_class, "input_type") and not (ours or adapted)
        if chosen not in accepted and not fixed:
            raise UsageError(f"loss_type is [{final.get('loss_type')}], but must be {' or '.join(accepted)}")
        if final.get("train_targets") == "all" and not ours:
            raise UsageError(
                f"train_targets: all is not for {self.model}, which learns one target a row; "
                f"PopSASRec and PopBERT4Rec with popularity_head: none learn all"
            )
        if ours and (final["train_neg_sample_args"] or {}).get("distribution", "none") != "none":
            raise UsageError(
                f"train_neg_sample_args are not for {self.model}, which draws its own negatives; "
                f"say negatives, negative_sampling and shared_negatives"
            )

    def _set_default_parameters(self) -> None:
        check_value_measures(self.final_config_dict)
        super()._set_default_parameters()
        final = self.final_config_dict
        final["show_progress"] = bool(final["show_progress"]) and sys.stderr.isatty()
        self._check_pairs(final)
        check_measures(final)

    def _check_pairs(self, final: dict[str, Any]) -> None:
        drawn = (final["train_neg_sample_args"] or {}).get("distribution")
        pairs = final["MODEL_INPUT_TYPE"] == InputType.PAIRWISE and final.get("loss_type") not in (
            "CE",
            "NLL",
        )
        whole = issubclass(self.model_class, AutoEncoderMixin)  # MultiVAE and others say pairs, and read none
        if pairs and not whole and drawn in (None, "none", "None"):
            raise UsageError(
                f"{self.model} learns from pairs of a play and a drawn item, but train_neg_sample_args draw "
                f"none; say train_neg_sample_args: {{distribution: uniform, sample_num: 1}}"
            )

    def _init_device(self) -> None:
        if isinstance(self.final_config_dict["gpu_id"], list):
            self.final_config_dict["gpu_id"] = ",".join(map(str, self.final_config_dict["gpu_id"]))
        rank = self.final_config_dict.pop("local_rank", None)
        super()._init_device()
        if rank is not None:  # one of several processes, which stock lets meet on GPUs only
            self.final_config_dict["local_rank"] = rank
            join_group(self.final_config_dict)

    def _warn_of_unknown_names(self, final: dict[str, Any]) -> None:
        known = self.known_properties()
        for name in sorted(set(self.external_config_dict) - known):
            near = did_you_mean(name, known, cutoff=0.8)
            if near:
                logger.warning("property [%s] is not known%s", name, near)


def _literal(value: Any) -> Any:
    """Read text as a Python literal; what is none (a word, a path) stays text. Tuples become lists."""
    try:
        return parse_literal(value) if isinstance(value, str) else plain(value)
    except ValueError:
        return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _is_plain(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
