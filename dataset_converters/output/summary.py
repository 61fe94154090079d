"""Statistics of a converted data set, for ``NAME.stats.json`` and for people."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import numpy as np

from dataset_converters.common.ledger import Ledger
from dataset_converters.output.counts import Counts


def describe_rating(rating: float) -> str:
    """Write a rating without a needless ``.0``."""
    return str(int(rating)) if rating.is_integer() else repr(rating)


def collect_statistics(counts: Counts, ledger: Ledger) -> dict[str, Any]:
    """Say everything worth knowing about a data set.

    Args:
        counts: Of the events that are written, at least one.
        ledger: The rows on the way there.

    Returns:
        A dictionary that ``json`` can write. ``sparsity`` is 1 - plays / (users x items), below 0
        where there are more plays than pairs. Shares lie in [0, 1]; ``repeat_share`` is the share of
        plays whose user has played the item before, ``positive_repeat_share`` the same among plays
        with a rating above 0; ``rare_item_share`` is the share of items with fewer than 5 plays.
    """
    per_user, per_item = counts.per_user, counts.per_item
    users, items, plays = len(per_user), len(per_item), int(per_user.sum())
    pairs, positive_plays = counts.pairs, counts.positive_plays
    ledger.note("plays alike in user, item, time and rating to another, kept", plays - counts.distinct)
    statistics: dict[str, Any] = {
        "users": users,
        "items": items,
        "plays": plays,
        "plays_per_user": {
            "min": int(per_user[0]),
            "median": float(np.median(per_user)),
            "mean": plays / users,
            "p80": int(per_user[(8 * users + 9) // 10 - 1]),  # the least that 80 % do not pass
            "max": int(per_user[-1]),
        },
        "unique_pairs": pairs,
        "sparsity": 1 - plays / (users * items),
        "rare_item_share": int(np.count_nonzero(per_item < 5)) / items,
        "repeat_share": 1 - pairs / plays,
        "positive_plays": positive_plays,
        "positive_repeat_share": 1 - counts.positive_pairs / positive_plays if positive_plays else None,
        "time_range": [_iso(moment) for moment in counts.times],
        "rows": {"read": ledger.rows_read, "written": plays, "dropped": dict(ledger.dropped)},
        "notes": dict(ledger.notes),
    }
    if ledger.examples:
        statistics["rejected_examples"] = ledger.examples
    if counts.ratings is not None:  # a column of real numbers would fill pages
        statistics["ratings"] = {describe_rating(rating): n for rating, n in counts.ratings.items()}
    return statistics


def summary_lines(name: str, statistics: dict[str, Any]) -> list[str]:
    """Say in a few lines what was written and what was not."""
    rows, per_user = statistics["rows"], statistics["plays_per_user"]
    lines = [
        f"{name}: {statistics['users']:,} users, {statistics['items']:,} items, "
        f"{statistics['plays']:,} plays from {' to '.join(statistics['time_range'])}",
        f"plays per user: min {per_user['min']:,}, median {per_user['median']:,.0f}, "
        f"mean {per_user['mean']:,.1f}, p80 {per_user['p80']:,}, max {per_user['max']:,}",
        f"repeat share {statistics['repeat_share']:.2f}, sparsity {statistics['sparsity']:.4f}, "
        f"items with fewer than 5 plays {statistics['rare_item_share']:.0%}",
    ]
    if "ratings" in statistics:
        counts = (f"{rating}: {count:,}" for rating, count in statistics["ratings"].items())
        lines.append(f"plays by rating: {', '.join(counts)}")
    dropped = sum(rows["dropped"].values())
    lines.append(f"rows: {rows['read']:,} read, {rows['written']:,} written, {dropped:,} dropped")
    lines += [f"  dropped {count:,}: {reason}" for reason, count in rows["dropped"].items()]
    lines += [f"  rejected {example}" for example in statistics.get("rejected_examples", [])]
    lines += [f"  note: {count:,} {text}" for text, count in statistics["notes"].items()]
    return lines


def _iso(microseconds: int) -> str:
    moment = datetime.fromtimestamp(microseconds // 1_000_000, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
