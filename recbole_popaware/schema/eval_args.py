"""What ``eval_args`` may be: how data are split, ordered, grouped and ranked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from recbole_popaware.errors import UsageError, shown
from recbole_popaware.schema.checks import is_number

KEYS = ("split", "order", "group_by", "mode")
HELD_OUT = ("valid_and_test", "valid_only", "test_only")
MODES = "full, labeled, uniN or popN with N drawn items, such as uni100"
_MODE = re.compile(r"full|labeled|(uni|pop)[1-9][0-9]{0,5}", re.ASCII)


def check_eval_args(eval_args: Any) -> None:
    """Check ``eval_args``, of which any key may be missing.

    Raises:
        UsageError: If they cannot work.
    """
    if not isinstance(eval_args, Mapping):
        raise UsageError(
            f"eval_args is [{shown(eval_args)}], but must be a table with keys of {', '.join(KEYS)}"
        )
    for key, value in eval_args.items():
        if key not in KEYS:
            raise UsageError(f"eval_args has the unknown key [{shown(key)}]; known are {', '.join(KEYS)}")
        _PARTS[key](value)


def _check_split(split: Any) -> None:
    if isinstance(split, Mapping) and len(split) > 1:
        raise UsageError(f"eval_args names several splits {shown(split)}; keep one")
    if not (isinstance(split, Mapping) and split and next(iter(split)) in ("RS", "LS", "TS", "GTS")):
        raise UsageError(
            f"split in eval_args is [{shown(split)}], but must name one of RS, LS, TS, GTS, such as "
            f"{{GTS: [0.8, 0.1, 0.1]}} or {{LS: valid_and_test}}"
        )
    ((kind, value),) = split.items()
    if kind == "LS":
        if value not in HELD_OUT:
            raise UsageError(f"LS is [{shown(value)}], but must be one of {', '.join(HELD_OUT)}")
        return
    if kind == "GTS" and isinstance(value, Mapping):
        _check_times(value)
        return
    if not (isinstance(value, (list, tuple)) and len(value) == 3 and all(map(is_number, value))):
        raise UsageError(
            f"{kind} is [{shown(value)}], but must be three shares: of training, validation and test"
        )
    if min(value) < 0 or not (value[0] and value[2]):
        raise UsageError(
            f"{kind} is {list(value)}, but must be shares without a negative one, and training and test must "
            f"have some"
        )
    if kind == "GTS" and abs(sum(value) - 1) > 1e-6:
        raise UsageError(f"GTS is {list(value)}, but its shares must sum to 1")


def _check_times(times: Mapping[str, Any]) -> None:
    lengths = [times.get(key, 0) for key in ("valid", "gap")]
    known = times.keys() <= {"test", "valid", "gap"} and is_number(times.get("test"))
    if not (known and all(is_number(length) and length >= 0 for length in lengths)):
        raise UsageError(
            f"GTS is {shown(dict(times))}, but times must be test, from when on plays are tested, and maybe "
            f"valid and gap, seconds of at least 0, such as {{test: 25913600, valid: 86400, gap: 1800}}"
        )


def _check_order(order: Any) -> None:
    if order not in ("TO", "RO"):
        raise UsageError(
            f"order in eval_args is [{shown(order)}], but must be TO (by time) or RO (at random)"
        )


def _check_group_by(group_by: Any) -> None:
    if group_by not in (None, "user", "none", "None"):
        raise UsageError(f"group_by in eval_args is [{shown(group_by)}], but must be user or none")


def _check_mode(mode: Any) -> None:
    modes = mode if isinstance(mode, Mapping) else {"valid": mode}
    if not (modes and modes.keys() <= {"valid", "test"}):
        raise UsageError(f"mode in eval_args is [{shown(mode)}], but must have the keys valid and test")
    for part in modes.values():
        if not (isinstance(part, str) and _MODE.fullmatch(part)):
            raise UsageError(f"mode in eval_args is [{shown(mode)}], but must be {MODES}")


_PARTS: dict[str, Callable[[Any], None]] = {
    "split": _check_split,
    "order": _check_order,
    "group_by": _check_group_by,
    "mode": _check_mode,
}
