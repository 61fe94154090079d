"""Load a model from its checkpoint alone, for lists from histories that somebody brings."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.utils import FeatureType
from torch import Tensor

from recbole_popaware.catalogue import PADDING, Catalogue
from recbole_popaware.checkpoint import load_weights, read_checkpoint, read_settings
from recbole_popaware.config import Config
from recbole_popaware.data.dataset import HistoryDataset, needs_times
from recbole_popaware.data.mapped import TokenNumbers
from recbole_popaware.data.rows import FieldNames, WindowFields
from recbole_popaware.model.heads import REPLAY
from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.quick_start import Prepared
from recbole_popaware.trust import no_pickles


class CatalogueDataset(HistoryDataset):
    """The data set of a checkpoint's catalogue: no users, and no plays before histories replace none.

    RecBole's constructors, which read files, are not called.

    Args:
        config: The settings of the checkpoint.
        catalogue: Its items.
    """

    def __init__(self, config: Any, catalogue: Catalogue) -> None:
        self.config, self.dataset_name = config, config["dataset"]
        self.uid_field, self.iid_field = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
        self.time_field, self.rating_field = config["TIME_FIELD"], config["RATING_FIELD"]
        self.end_field, self.item_list_length_field = (
            config["HISTORY_END_FIELD"],
            config["ITEM_LIST_LENGTH_FIELD"],
        )
        self.field2type = dict.fromkeys((self.uid_field, self.iid_field), FeatureType.TOKEN)
        names = {self.uid_field: [PADDING], self.iid_field: catalogue.names}
        self.field2id_token = {field: np.array(known, dtype=object) for field, known in names.items()}
        self.field2token_id = TokenNumbers(self.field2id_token)
        self.training_plays, self._popularity = catalogue.plays, catalogue.popularity
        nothing = np.empty(0, dtype=np.int64)
        self.history = PlayHistory.from_sorted(nothing, nothing, nothing, 1, needs_times(config))
        self._windows = WindowFields(
            self.history,
            {self.iid_field + config["LIST_SUFFIX"]: self.history.items},
            config["MAX_ITEM_LIST_LENGTH"],
            FieldNames(self.uid_field, self.end_field, self.item_list_length_field),
            [self.item_list_length_field, self.iid_field + config["LIST_SUFFIX"]],
        )

    def item_popularity(self) -> Tensor:
        """As the training found it, ``[n_items]``."""
        return self._popularity

    def num(self, field: str) -> int:
        """How many numbers a field's values have."""
        return len(self.field2id_token[field])

    def get_item_feature(self) -> Interaction:
        """The items' numbers."""
        return Interaction({self.iid_field: torch.arange(self.num(self.iid_field))})


def load_without_log(file: str | os.PathLike[str], properties: dict[str, Any]) -> Prepared | None:
    """Load a model whose scores come from a user's plays and its weights alone.

    Args:
        file: A checkpoint.
        properties: Properties that replace those of the checkpoint.

    Returns:
        The model with a :class:`CatalogueDataset`, and no loaders; ``None`` if the model needs more of the
        data set (RecBole's own models may), or the checkpoint is of a version that kept no item ids.

    Raises:
        UsageError: If the file cannot be read.
    """
    checkpoint = read_checkpoint(file)
    catalogue = Catalogue.of_checkpoint(checkpoint, file)
    if catalogue is None:
        return None
    config = Config(config_dict={**read_settings(checkpoint, file), **properties}, argv=())
    if not issubclass(config.model_class, PopularityAware) or config["popularity_head"] == REPLAY:
        return None
    dataset = CatalogueDataset(config, catalogue)
    with no_pickles():
        model = config.model_class(config, dataset).to(config["device"])
    load_weights(model, checkpoint, f"the weights in {file} do not fit its settings")
    return Prepared(config, model, dataset, None, None, None)
