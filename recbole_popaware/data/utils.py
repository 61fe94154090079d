"""Choose the classes of data set and loaders; RecBole does the rest."""

from __future__ import annotations

import copy
from typing import Any

import recbole.data
import recbole.data.dataset
from recbole.utils import ModelType

from recbole_popaware.data.dataloader import MultiTargetEvalDataLoader, TiledTrainDataLoader
from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.errors import UsageError

# What RecBole does not compare when it loads saved loaders.
SPLIT_SWITCHES = ("kept_users", "train_until", "valid_users", "targets", "mask_history", "window_fields")

# What a data set and its split depend on, beside the properties that RecBole counts among those of data.
DATA_PROPERTIES = (
    *("dataset", "data_path", "eval_args", "repeatable", "seed", "reproducibility", *SPLIT_SWITCHES),
    *("HISTORY_END_FIELD", "encoding", "discretization", "numerical_features", "pps_age"),
)


def create_dataset(config: Any) -> Any:
    """Build the data set that ``config`` names.

    Returns:
        A :class:`HistoryDataset` for sequential models; RecBole's own class for other kinds of model
        and for the sequential ones that bring a class of their own.

    Raises:
        UsageError: If a class of RecBole's own is asked for a global temporal split.
    """
    has_own_class = hasattr(recbole.data.dataset, config["model"] + "Dataset")
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL and not has_own_class:
        return HistoryDataset(config)
    if "GTS" in (config["eval_args"]["split"] or ()):
        raise UsageError(
            f"{config['model']} uses a data set class of its own, which cannot split by GTS; "
            f"choose another model or a split of RecBole's, such as {{LS: valid_and_test}}"
        )
    return recbole.data.create_dataset(config)


def data_preparation(config: Any, dataset: Any) -> tuple[Any, Any, Any]:
    """Split the data and make RecBole's loaders; ours where every place is a target, or under GTS.

    Returns:
        Loaders of the training, the validation and the test part.

    Raises:
        UsageError: If RecBole found saved loaders, which were split by other rules of ours.
    """
    train, valid, test = recbole.data.data_preparation(config, dataset)
    for name in SPLIT_SWITCHES:
        saved = train._dataset.config[name]
        if saved != config[name]:
            raise UsageError(
                f"the loaders saved for {config['model']} on [{config['dataset']}] were made with "
                f"{name}: {saved}, not {config[name]}; remove them from {config['checkpoint_dir']}"
            )
    if config["train_targets"] == "all":
        train = TiledTrainDataLoader(config, train._dataset, train._sampler, shuffle=config["shuffle"])
    if "GTS" in (config["eval_args"]["split"] or ()):
        valid, test = (
            MultiTargetEvalDataLoader(config, loader._dataset, loader._sampler) for loader in (valid, test)
        )
    return train, valid, test


def data_properties(config: Any) -> set[str]:
    """Names of all properties on which a data set and its split depend, loaders not included."""
    return {*config.parameters["Dataset"], *DATA_PROPERTIES}


class SplitDataset:
    """A data set that is split once, however often it is asked, and gives light copies of its parts."""

    def __init__(self, dataset: Any) -> None:
        self._whole, self._parts = dataset, dataset.build()

    def build(self) -> list[Any]:
        """Give the parts; who changes an attribute of one changes it for himself."""
        return [copy.copy(part) for part in self._parts]

    def __str__(self) -> str:
        return str(self._whole)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked before there is a data set: when this is unpickled
            raise AttributeError(name)
        return getattr(self._whole, name)


class SharedData:
    """The data of the last settings, for all who want the same."""

    def __init__(self) -> None:
        self._known: dict[str, Any] | None = None
        self._dataset: Any = None

    def dataset(self, config: Any) -> Any:
        """Load and split what ``config`` names, unless it is there already.

        Raises:
            UsageError: If it cannot be loaded.
        """
        wanted = {name: config[name] for name in data_properties(config)}
        if self._dataset is None or wanted != self._known:
            self._dataset = None  # room for the next one
            self._dataset, self._known = SplitDataset(create_dataset(config)), wanted
        return self._dataset
