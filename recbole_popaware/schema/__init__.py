"""What every property may be, said once: RecBole's, its models', and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole_popaware.errors import UsageError, shown
from recbole_popaware.schema import models, recbole
from recbole_popaware.schema.checks import Check, is_storable
from recbole_popaware.schema.eval_args import check_eval_args
from recbole_popaware.schema.rules import check_rules

CHECKS: dict[str, Check] = {
    **recbole.MACHINE,
    **recbole.DATA,
    **recbole.TRAINING,
    **recbole.EVALUATION,
    **models.TRANSFORMERS,
    **models.OURS,
}


def check(settings: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> None:
    """Check all properties, each by itself and together.

    Args:
        settings: Properties of one training.
        defaults: What the model's properties are if nobody sets them; a property that is not in
            :data:`CHECKS` must be of the same kind as its default.

    Raises:
        UsageError: If a value cannot work.
    """
    check_values(settings, defaults)
    check_rules(settings)


def check_values(settings: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> None:
    """Check each property by itself.

    Raises:
        UsageError: If a value cannot work, or a key is no text.
    """
    for name, value in settings.items():
        if not isinstance(name, str):
            raise UsageError(f"the name of the property [{shown(name)}] is no text")
        _check_value(name, value, defaults or {})
    if "eval_args" in settings:
        check_eval_args(settings["eval_args"])


def _check_value(name: str, value: Any, defaults: Mapping[str, Any]) -> None:
    if not is_storable(value):
        raise UsageError(
            f"{shown(name)} contains what no setting can be: a number beyond 64 bits, a key that is no text, "
            f"broken text, or lists within lists without end"
        )
    check = CHECKS.get(name) or (models.like(defaults[name]) if name in defaults else None)
    if check is not None and not check.accepts(value):
        raise UsageError(f"{name} is [{shown(value)}], but must be {check.accepted}")
