"""Where the property files are, and which values a property may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from recbole_popaware.errors import UsageError
from recbole_popaware.model.popularity_head import FORMS

_HERE = Path(__file__).parent
# A wheel carries the files inside the package; a checkout has them beside it.
FOLDER = _HERE / "properties" if (_HERE / "properties").is_dir() else _HERE.parent / "properties"
EXAMPLES = _HERE / "dataset_example"

HEADS = (*FORMS, "none")

Check = tuple[Callable[[Any], bool], str]


def whole(least: int) -> Check:
    """Accept whole numbers from ``least``."""
    return lambda x: type(x) is int and x >= least, f"a whole number, at least {least}"


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


_POSITIVE: Check = (lambda x: _is_number(x) and x > 0, "a number above 0")
_SHARE: Check = (lambda x: _is_number(x) and 0 <= x < 1, "a number from 0 to below 1")
_LENGTH: Check = (lambda x: x is None or whole(1)[0](x), "empty or a whole number, at least 1")

CHECKS: dict[str, Check] = {
    "epochs": whole(0),
    "eval_step": whole(0),
    "stopping_step": whole(0),
    "seed": whole(0),
    "train_batch_size": whole(1),
    "eval_batch_size": whole(1),
    "MAX_ITEM_LIST_LENGTH": whole(1),
    "n_layers": whole(1),
    "n_heads": whole(1),
    "hidden_size": whole(1),
    "inner_size": whole(1),
    "learning_rate": _POSITIVE,
    "pps_epsilon": _POSITIVE,
    "novelty_epsilon": _POSITIVE,
    "hidden_dropout_prob": _SHARE,
    "attn_dropout_prob": _SHARE,
    "mask_ratio": (lambda x: _is_number(x) and 0 < x <= 1, "a number above 0, at most 1"),
    "popularity_head": (lambda x: x in HEADS, f"one of {', '.join(HEADS)}"),
    "history_window": _LENGTH,
}


def check(settings: Mapping[str, Any]) -> None:
    """Check the values of the properties we know.

    Raises:
        UsageError: If a value cannot work.
    """
    for name, (accepts, accepted) in CHECKS.items():
        if name in settings and not accepts(settings[name]):
            raise UsageError(f"{name} is [{settings[name]}], but must be {accepted}")
