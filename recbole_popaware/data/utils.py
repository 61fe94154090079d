"""Choose the data set class of a model; RecBole does the rest."""

from __future__ import annotations

from typing import Any

import recbole.data.dataset
from recbole.data import create_dataset as create_stock_dataset
from recbole.utils import ModelType

from recbole_popaware.data.dataset import HistoryDataset


def create_dataset(config: Any) -> Any:
    """Build the data set that ``config`` names.

    Returns:
        A :class:`HistoryDataset` for sequential models; RecBole's own class for other kinds of model
        and for the sequential ones that bring a class of their own.
    """
    has_own_class = hasattr(recbole.data.dataset, config["model"] + "Dataset")
    if config["MODEL_TYPE"] == ModelType.SEQUENTIAL and not has_own_class:
        return HistoryDataset(config)
    return create_stock_dataset(config)
