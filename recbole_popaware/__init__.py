"""Personalised popularity for RecBole's sequential recommenders.

``import recbole_popaware as rp`` offers the names in ``__all__``. Importing the package costs nothing: a name
is imported when it is first used. docs/api.md shows how they go together.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset_converters.api import convert as convert
    from dataset_converters.common.errors import ConversionError as ConversionError
    from recbole_popaware.api import load as load
    from recbole_popaware.api import run as run
    from recbole_popaware.api import tune as tune
    from recbole_popaware.errors import UsageError as UsageError
    from recbole_popaware.experiments.api import experiment as experiment
    from recbole_popaware.measures import explore_recall as explore_recall
    from recbole_popaware.measures import graded_ndcg as graded_ndcg
    from recbole_popaware.measures import repeat_bias as repeat_bias
    from recbole_popaware.measures import repeat_recall as repeat_recall
    from recbole_popaware.model.sequential_recommender import TIFUKNN as TIFUKNN
    from recbole_popaware.model.sequential_recommender import UPCF as UPCF
    from recbole_popaware.model.sequential_recommender import DecayedItemKNN as DecayedItemKNN
    from recbole_popaware.model.sequential_recommender import DecayedMostPop as DecayedMostPop
    from recbole_popaware.model.sequential_recommender import DecayPop as DecayPop
    from recbole_popaware.model.sequential_recommender import MostPop as MostPop
    from recbole_popaware.model.sequential_recommender import PersonalizedMostPop as PersonalizedMostPop
    from recbole_popaware.model.sequential_recommender import PopBERT4Rec as PopBERT4Rec
    from recbole_popaware.model.sequential_recommender import PopGSASRec as PopGSASRec
    from recbole_popaware.model.sequential_recommender import PopOnly as PopOnly
    from recbole_popaware.model.sequential_recommender import PopSASRec as PopSASRec
    from recbole_popaware.quick_start import Prepared as Prepared
    from recbole_popaware.quick_start import RunResult as RunResult
    from recbole_popaware.recommending.api import recommend as recommend
    from recbole_popaware.recommending.recommender import Recommender as Recommender
    from recbole_popaware.tuning.results import Trial as Trial
    from recbole_popaware.tuning.results import TuningResult as TuningResult

__version__ = "0.2.0.dev0"

_MODULES = {
    "dataset_converters.api": ("convert",),
    "dataset_converters.common.errors": ("ConversionError",),
    "recbole_popaware.api": ("load", "run", "tune"),
    "recbole_popaware.errors": ("UsageError",),
    "recbole_popaware.experiments.api": ("experiment",),
    "recbole_popaware.measures": ("explore_recall", "graded_ndcg", "repeat_bias", "repeat_recall"),
    "recbole_popaware.model.sequential_recommender": (
        *("DecayPop", "DecayedItemKNN", "DecayedMostPop", "MostPop", "PersonalizedMostPop"),
        *("PopBERT4Rec", "PopGSASRec", "PopOnly", "PopSASRec", "TIFUKNN", "UPCF"),
    ),
    "recbole_popaware.quick_start": ("Prepared", "RunResult"),
    "recbole_popaware.recommending.api": ("recommend",),
    "recbole_popaware.recommending.recommender": ("Recommender",),
    "recbole_popaware.tuning.results": ("Trial", "TuningResult"),
}
_WITHOUT_RECBOLE = ("dataset_converters.api", "dataset_converters.common.errors", "recbole_popaware.errors")
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(["__version__", *_MODULE_OF])


def __getattr__(name: str) -> Any:
    """Import what is used for the first time."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if module not in _WITHOUT_RECBOLE:
        from recbole_popaware.compat import import_recbole

        import_recbole()  # without the warnings of its source
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
