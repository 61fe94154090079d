"""Which protocol a model that knows no windows is evaluated by: that of sequential models, or RecBole's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole.utils import ModelType

LEAVE_OUT = {
    "valid_and_test": (True, True),
    "valid_only": (True, False),
    "test_only": (False, True),
}
"""Ways of leave-one-out: whether there are validation and test rows."""

GENERAL_TYPES = (ModelType.GENERAL, ModelType.TRADITIONAL)


def splits_at_borders(settings: Any) -> bool:
    """Whether the global temporal split is asked for."""
    return "GTS" in (settings["eval_args"]["split"] or ())


def leaves_out(settings: Any) -> str | None:
    """How leave-one-out splits, if each user's last plays in time are left out; ``None``: it does not."""
    args = settings["eval_args"]
    how = args["split"].get("LS") if isinstance(args["split"], Mapping) else None
    return how if args["order"] == "TO" and how in LEAVE_OUT else None


def ranks_later_plays(settings: Any) -> bool:
    """Whether general models have the users, targets and measures of sequential ones, nothing hidden.

    This is so under GTS, and under leave-one-out by time; other settings are RecBole's.

    Args:
        settings: Properties, of which keys of ``eval_args`` may be missing.
    """
    eval_args = settings["eval_args"]
    if not isinstance(eval_args, Mapping) or not isinstance(eval_args.get("split"), Mapping):
        return False
    mode = eval_args.get("mode", "full")
    by_time = "GTS" in eval_args["split"] or ("LS" in eval_args["split"] and eval_args.get("order") == "TO")
    full = all(m == "full" for m in (mode.values() if isinstance(mode, Mapping) else [mode]))
    return by_time and full and settings["benchmark_filename"] is None
