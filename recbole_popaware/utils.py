"""Models and trainers by name: ours first, RecBole's with the popularity head, RecBole's otherwise."""

from __future__ import annotations

import importlib
from typing import Any

import recbole.utils
from recbole.trainer import PretrainTrainer
from recbole.utils import ModelType

from recbole_popaware.errors import UsageError, did_you_mean
from recbole_popaware.model import on_demand
from recbole_popaware.pretraining import PretrainAdapter
from recbole_popaware.trainer import Trainer, TrainerAdapter

_PACKAGE = "recbole_popaware.model.sequential_recommender"
MODELS = (
    *("PopSASRec", "PopGSASRec", "PopBERT4Rec", "PopOnly"),
    *("MostPop", "PersonalizedMostPop", "DecayedMostPop", "DecayPop", "DecayedItemKNN", "TIFUKNN", "UPCF"),
)

TREES = ("XGBoost", "LightGBM")


def get_model(name: str) -> type:
    """Find a model class.

    Raises:
        UsageError: If neither this package nor RecBole has a model of that name, or it is of :data:`TREES`.
    """
    if name in TREES:
        raise UsageError(
            f"{name} makes decision trees, which have no epochs to train and no weights to store; "
            f"RecBole runs them, this package does not"
        )
    if name in MODELS:
        model: type = getattr(importlib.import_module(f"{_PACKAGE}.{name.lower()}"), name)
        return model
    if name in on_demand.BACKBONES:
        return on_demand.make_class(name)
    try:
        model = recbole.utils.get_model(name)
    except (ValueError, AttributeError, ImportError) as error:
        on_demand.refuse_unsuited(name)
        hint = did_you_mean(name, (*MODELS, *on_demand.BACKBONES))
        raise UsageError(
            f"model [{name}] is not known{hint}; ours are {', '.join(MODELS)}, and all of RecBole's work "
            f"too, such as SASRec, EASE, DeepFM or CKE; Pop before a name, as in PopGRU4Rec, adds the "
            f"popularity head to {on_demand.CAN_CARRY}"
        ) from error
    return model


def get_trainer(model_type: ModelType, model_name: str) -> type:
    """Find the trainer class of a model: RecBole's, with our evaluation and checkpoints."""
    stock: Any = recbole.utils.get_trainer(model_type, model_name)
    if issubclass(Trainer, stock):
        return Trainer
    adapter = PretrainAdapter if issubclass(stock, PretrainTrainer) else TrainerAdapter
    return type(stock.__name__, (adapter, stock), {})
