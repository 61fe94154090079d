"""Where the property files are, and which values a property may take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from recbole_popaware.data.targets import TARGETS
from recbole_popaware.data.temporal_split import KEPT_USERS, TRAIN_UNTIL
from recbole_popaware.errors import UsageError
from recbole_popaware.model.negatives import DISTRIBUTIONS
from recbole_popaware.model.popularity_aware import HEADS, INITIALIZERS
from recbole_popaware.model.recency_head import LEARNABLE
from recbole_popaware.optimisation import SCHEDULES

_HERE = Path(__file__).parent
# A wheel carries the files inside the package; a checkout has them beside it.
FOLDER = _HERE / "properties" if (_HERE / "properties").is_dir() else _HERE.parent / "properties"
EXAMPLES = _HERE / "dataset_example"

TRAIN_TARGETS = ("all", "next")
PROTOCOLS = ("corrected", "paper")

Check = tuple[Callable[[Any], bool], str]


def whole(least: int) -> Check:
    """Accept whole numbers from ``least``."""
    return lambda x: type(x) is int and x >= least, f"a whole number, at least {least}"


def one_of(accepted: Sequence[str]) -> Check:
    """Accept some words."""
    return lambda x: x in accepted, f"one of {', '.join(accepted)}"


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


_POSITIVE: Check = (lambda x: _is_number(x) and x > 0, "a number above 0")
_SHARE: Check = (lambda x: _is_number(x) and 0 <= x < 1, "a number from 0 to below 1")
_LENGTH: Check = (lambda x: x is None or whole(1)[0](x), "empty or a whole number, at least 1")

_FADING = (lambda x: x is None or (_is_number(x) and x >= 0), "empty or a number, at least 0")
_SWITCH: Check = (lambda x: isinstance(x, bool), "True or False")

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
    "mask_last": (lambda x: _is_number(x) and 0 <= x <= 1, "a number from 0 to 1"),
    "train_targets": one_of(TRAIN_TARGETS),
    "train_horizon": whole(1),
    "popularity_head": one_of(HEADS),
    "pps_history": (
        lambda x: x in ("window", "full") or whole(1)[0](x),
        "window, full, or a number of plays",
    ),
    "pps_learn": (
        lambda x: isinstance(x, (list, tuple)) and set(x) <= set(LEARNABLE),
        f"a list of {', '.join(LEARNABLE)}",
    ),
    "pps_decay": _FADING,
    "pps_offset": _FADING,
    "pps_age": one_of(("plays", "hours")),
    "pps_learning_rate": (lambda x: x is None or _POSITIVE[0](x), "empty or a number above 0"),
    "learn_network_weight": _SWITCH,
    "network_weights": (
        lambda x: isinstance(x, (list, tuple)) and all(_is_number(w) and w >= 0 for w in x),
        "a list of numbers, at least 0",
    ),
    "share_embeddings": _SWITCH,
    "negatives": whole(1),
    "negative_sampling": one_of(DISTRIBUTIONS),
    "shared_negatives": (lambda x: isinstance(x, bool) or x == "window", "True, window or False"),
    "calibrated_start": _SWITCH,
    "initializer": one_of(INITIALIZERS),
    "adam_betas": (
        lambda x: isinstance(x, (list, tuple)) and len(x) == 2 and all(_SHARE[0](b) for b in x),
        "a list of two numbers from 0 to below 1",
    ),
    "warmup_steps": whole(0),
    "learning_rate_schedule": one_of(SCHEDULES),
    "gbce_t": (lambda x: _is_number(x) and 0 <= x <= 1, "a number from 0 to 1"),
    "history_window": _LENGTH,
    "window_fields": (lambda x: isinstance(x, (list, tuple)), "a list of fields"),
    "protocol": one_of(PROTOCOLS),
    "kept_users": one_of(KEPT_USERS),
    "train_until": one_of(TRAIN_UNTIL),
    "valid_users": _LENGTH,
    "targets": one_of(TARGETS),
    "mask_history": _SWITCH,
}


def check(settings: Mapping[str, Any]) -> None:
    """Check the values of the properties we know.

    Raises:
        UsageError: If a value cannot work.
    """
    for name, (accepts, accepted) in CHECKS.items():
        if name in settings and not accepts(settings[name]):
            raise UsageError(f"{name} is [{settings[name]}], but must be {accepted}")
    if settings.get("pps_age") == "hours" and settings.get("pps_history") == "window":
        raise UsageError(
            "pps_age: hours needs pps_history: full, or a number of plays, since windows hold no times"
        )
    if settings.get("train_targets") == "all" and settings.get("transform"):
        raise UsageError(
            f"transform: {settings['transform']} changes windows, which have a target at every place; "
            f"say --train_targets=next"
        )
    _check_split(settings)


def _check_split(settings: Mapping[str, Any]) -> None:
    eval_args = settings.get("eval_args")
    split = eval_args.get("split") if isinstance(eval_args, Mapping) else None
    if not isinstance(eval_args, Mapping) or not isinstance(split, Mapping) or "GTS" not in split:
        for name, needless in (("mask_history", False), ("protocol", "corrected")):
            if settings.get(name, needless) != needless:
                raise UsageError(
                    f"{name}: {settings[name]} needs eval_args with split: {{GTS: [0.8, 0.1, 0.1]}}"
                )
        return
    shares = split["GTS"]
    if not (isinstance(shares, (list, tuple)) and len(shares) == 3 and all(map(_is_number, shares))):
        raise UsageError(f"GTS is [{shares}], but must be three shares: of training, validation and test")
    if min(shares) < 0 or not (shares[0] and shares[2]) or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(
            f"GTS is {list(shares)}, but its shares must sum to 1, without a negative one, and training "
            f"and test must have some"
        )
    if len(split) > 1:
        raise UsageError(f"eval_args names several splits {dict(split)}; keep one")
    if eval_args.get("order", "TO") != "TO":
        raise UsageError(f"order is [{eval_args['order']}], but GTS splits by time: say order: TO")
    mode = eval_args.get("mode", "full")
    if any(m != "full" for m in (mode.values() if isinstance(mode, Mapping) else [mode])):
        raise UsageError(f"mode is [{mode}], but under GTS users are ranked over all items: say mode: full")
