"""What properties may be once the number of items is known."""

from __future__ import annotations

from typing import Any

from recbole_popaware.errors import UsageError

_MOST_DRAWN = 1000  # of a small catalogue; of a larger one as many as it has


def check_catalogue(settings: Any, n_items: int) -> None:
    """Check that ranked lists and drawn items are not longer than a catalogue of ``n_items``.

    Raises:
        UsageError: If they are.
    """
    longest = max(settings["topk"])
    if longest > n_items:
        raise UsageError(
            f"topk has [{longest}], but data set [{settings['dataset']}] has {n_items} items to rank"
        )
    sizes = {f"mode [{mode}]": _number(mode) for mode in settings["eval_args"]["mode"].values()}
    drawn = settings["train_neg_sample_args"]
    if drawn["distribution"] != "none":
        candidates = drawn["candidate_num"] if drawn["dynamic"] else 1
        sizes[f"train_neg_sample_args {drawn}"] = drawn["sample_num"] * candidates
    for what, size in sizes.items():
        if size > max(n_items, _MOST_DRAWN):
            raise UsageError(
                f"{what} draws {size} items for each row, but data set [{settings['dataset']}] has {n_items}"
            )


def _number(mode: str) -> int:
    return int(mode[3:]) if mode[:3] in ("uni", "pop") else 0
