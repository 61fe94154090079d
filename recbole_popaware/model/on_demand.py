"""``Pop<Name>``: RecBole's sequential model <Name> with the popularity head, made when it is asked for."""

from __future__ import annotations

from functools import cache

import recbole.utils

from recbole_popaware.errors import UsageError
from recbole_popaware.model.adapter import Backbone, HeadAdapter

PREFIX = "Pop"

# The models of RecBole 1.2.1 that compare scores of items, by CE or BPR.
_BACKBONES = (
    Backbone("Caser"),
    Backbone("CORE", losses=("CE",)),
    Backbone("FDSA"),
    Backbone("FEARec"),
    Backbone("FOSSIL"),
    Backbone("FPMC", losses=("BPR",)),
    Backbone("GCSAN"),
    Backbone("GRU4Rec"),
    Backbone("GRU4RecCPR", losses=("CE",), probabilities=True),
    Backbone("GRU4RecF"),
    Backbone("HGN"),
    Backbone("HRM"),
    Backbone("LightSANs"),
    Backbone("NARM"),
    Backbone("NextItNet"),
    Backbone("NPE"),
    Backbone("RepeatNet", losses=("CE",), probabilities=True),
    Backbone("SASRecCPR", losses=("CE",), probabilities=True),
    Backbone("SASRecF"),
    Backbone("SHAN"),
    Backbone("SINE"),
    Backbone("SRGNN"),
    Backbone("STAMP"),
    Backbone("TransRec", losses=("BPR",), loss="bpr_loss"),
)
BACKBONES = {PREFIX + backbone.name: backbone for backbone in _BACKBONES}
CAN_CARRY = ", ".join(backbone.name for backbone in _BACKBONES)

_LABELS = "it learns a label of each user and item by itself, where the head's scores compare items"
_OWN_DATA = "it has a data set class of its own, which keeps no histories"
UNSUITED = {
    "DIN": _LABELS,
    "DIEN": _LABELS,
    "GRU4RecKG": _OWN_DATA,
    "KSR": _OWN_DATA,
    "S3Rec": "it learns in two stages, of which the first compares no items",
}


@cache
def make_class(name: str) -> type:
    """Make the class of ``Pop<Name>``, a subclass of RecBole's <Name>.

    Args:
        name: A key of :data:`BACKBONES`.
    """
    backbone = BACKBONES[name]
    stock = recbole.utils.get_model(backbone.name)
    text = f"RecBole's {backbone.name} with the popularity head; see :class:`~.adapter.HeadAdapter`."
    return type(name, (HeadAdapter, stock), {"backbone": backbone, "__doc__": text, "__module__": __name__})


def refuse_unsuited(name: str) -> None:
    """Say why a model of RecBole cannot carry the head, if ``name`` asks for one.

    Raises:
        UsageError: If ``name`` is ``Pop`` and the name of such a model.
    """
    stock = name.removeprefix(PREFIX)
    reason = UNSUITED.get(stock) or _is_no_sequential_model(stock)
    if reason and name != stock:
        raise UsageError(
            f"model [{name}] cannot be: RecBole's {stock} does not take the popularity head, since {reason}; "
            f"{CAN_CARRY} do"
        )


def _is_no_sequential_model(stock: str) -> str:
    try:
        model = recbole.utils.get_model(stock)
    except (ValueError, AttributeError, ImportError):
        return ""
    return "" if model.type == recbole.utils.ModelType.SEQUENTIAL else "it is no sequential model"


def __getattr__(name: str) -> type:
    """Make a class when it is imported from here, as pickle and ``from ... import PopGRU4Rec`` do."""
    if name in BACKBONES:
        return make_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
