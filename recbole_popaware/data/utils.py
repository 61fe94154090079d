"""Choose the classes of data set and loaders; RecBole does the rest."""

from __future__ import annotations

import copy
from typing import Any

import recbole.data.dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.data.utils import create_samplers, get_dataloader
from recbole.sampler import KGSampler
from recbole.utils import ModelType

from recbole_popaware.data.dataloader import (
    KnowledgeTrainDataLoader,
    MixedTrainDataLoader,
    MultiTargetEvalDataLoader,
    RequestTrainDataLoader,
    TiledTrainDataLoader,
)
from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.data.general import GeneralDataset
from recbole_popaware.data.indices import LeanTrainDataLoader
from recbole_popaware.data.kinds import check_labels, reading_class, stock_class
from recbole_popaware.data.protocol import GENERAL_TYPES, ranks_later_plays
from recbole_popaware.errors import UsageError

# What a data set and its split depend on, beside the properties that RecBole counts among those of data.
DATA_PROPERTIES = (
    *("dataset", "data_path", "eval_args", "repeatable", "seed", "reproducibility", "encoding"),
    *("kept_users", "train_until", "valid_users", "targets", "mask_history", "window_fields"),
    *("selected_features", "lenient"),
    *("hold_out_last", "popularity_until"),
    *(
        "HISTORY_END_FIELD",
        "TARGET_PLAYS_FIELD",
        "discretization",
        "numerical_features",
        "pps_age",
        "decay_hours",
        "popularity_head",
        "train_targets",
        "REQUEST_TIME_FIELD",
    ),
)


def create_dataset(config: Any) -> Any:
    """Build the data set that ``config`` names.

    Returns:
        A :class:`HistoryDataset` for sequential models, and a :class:`GeneralDataset` for general ones under
        the same splits; for other splits and kinds of model, and for models that bring a class of their own,
        RecBole's class with our reader.

    Raises:
        UsageError: If a class of RecBole's own is asked for a global temporal split, or labels are missing.
    """
    dataset = _dataset_class(config)(config)
    check_labels(config, dataset)
    return dataset


def _dataset_class(config: Any) -> type[Any]:
    own_class = getattr(recbole.data.dataset, config["model"] + "Dataset", None)
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL and own_class is None:
        return HistoryDataset
    if config["MODEL_TYPE"] in GENERAL_TYPES and own_class is None and ranks_later_plays(config):
        return GeneralDataset
    if "GTS" in (config["eval_args"]["split"] or ()):
        raise UsageError(
            f"{config['model']} uses a data set class of its own, which cannot split by GTS; "
            f"choose another model or a split of RecBole's, such as {{LS: valid_and_test}}"
        )
    return reading_class(stock_class(config))


def data_preparation(config: Any, dataset: Any) -> tuple[Any, Any, Any]:
    """Split the data and make their loaders; RecBole's ``data_preparation`` without its files.

    Stock would first unpickle loaders that it finds on the disk. Besides, the loaders are ours where every
    position is a target, under GTS, and for general models under the splits of sequential ones.

    Returns:
        Loaders of the training, the validation and the test part.
    """
    parts = dataset.build()
    general = isinstance(parts[0], GeneralDataset)
    # A general model's negatives are drawn without looking at later plays.
    samplers = create_samplers(config, dataset, parts[:1] * 3 if general else parts)
    kinds: list[Any] = [get_dataloader(config, phase) for phase in ("train", "valid", "test")]
    more: list[Any] = []
    if kinds[0] is TrainDataLoader:
        kinds[0] = LeanTrainDataLoader
    if config["train_targets"] == "all":
        replays = config["popularity_head"] == "replay"
        kinds[0] = MixedTrainDataLoader if replays else TiledTrainDataLoader
    elif config["train_targets"] == "requests":
        kinds[0] = RequestTrainDataLoader
    elif config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        kinds[0], negatives = KnowledgeTrainDataLoader, config["train_neg_sample_args"]
        more = [KGSampler(dataset, negatives["distribution"], negatives["alpha"])]
    if general or "GTS" in (config["eval_args"]["split"] or ()):
        kinds[1:] = [MultiTargetEvalDataLoader] * 2
    shuffle = True if more else config["shuffle"]
    train = kinds[0](config, parts[0], samplers[0], *more, shuffle=shuffle)
    valid, test = (kinds[n](config, parts[n], samplers[n], shuffle=False) for n in (1, 2))
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
