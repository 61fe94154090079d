"""Statistics of a converted data set, for ``NAME.stats.json`` and for people."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from dataset_converters.ledger import Ledger
from dataset_converters.store import EventStore

_PER_USER = """
    SELECT min(n), median(n), quantile_disc(n, 0.8), max(n)
    FROM (SELECT count(*) AS n FROM events GROUP BY "user")
"""
_SIZES = """
    SELECT count(DISTINCT "user"), count(DISTINCT item), count(*), min(time_us), max(time_us)
    FROM events
"""
_PAIRS = """
    SELECT count(*), count(*) FILTER (WHERE positive > 0), sum(positive)
    FROM (SELECT count(*) FILTER (WHERE rating > 0) AS positive FROM events GROUP BY "user", item)
"""
_RARE = "SELECT count(*) FROM (SELECT item FROM events GROUP BY item HAVING count(*) < 5)"
_DISTINCT = 'SELECT count(*) FROM (SELECT DISTINCT "user", item, time_us, rating FROM events)'
_RATINGS = "SELECT rating, count(*) FROM events GROUP BY rating ORDER BY rating LIMIT 21"


def describe_rating(rating: float) -> str:
    """Write a rating without a needless ``.0``."""
    return str(int(rating)) if rating.is_integer() else repr(rating)


def collect_statistics(store: EventStore, ledger: Ledger) -> dict[str, Any]:
    """Count everything worth knowing about a data set.

    Args:
        store: The events as they are written, at least one.
        ledger: The rows on the way there.

    Returns:
        A dictionary that ``json`` can write. Shares lie in [0, 1]; ``repeat_share`` is the share of
        plays whose user has played the item before, ``positive_repeat_share`` the same among plays
        with a rating above 0; ``rare_item_share`` is the share of items with fewer than 5 plays.
    """
    ((users, items, plays, first, last),) = store.query(_SIZES)
    ((least, median, p80, most),) = store.query(_PER_USER)
    ((pairs, positive_pairs, positive_plays),) = store.query(_PAIRS)
    ((rare,),) = store.query(_RARE)
    ((distinct,),) = store.query(_DISTINCT)
    ledger.note("plays alike in user, item, time and rating to another, kept", plays - distinct)
    ratings = store.query(_RATINGS)
    positive_plays = int(positive_plays)
    per_user = {"min": least, "median": median, "mean": plays / users, "p80": p80, "max": most}
    statistics: dict[str, Any] = {
        "users": users,
        "items": items,
        "plays": plays,
        "plays_per_user": per_user,
        "unique_pairs": pairs,
        "sparsity": 1 - pairs / (users * items),
        "rare_item_share": rare / items,
        "repeat_share": 1 - pairs / plays,
        "positive_plays": positive_plays,
        "positive_repeat_share": 1 - positive_pairs / positive_plays if positive_plays else None,
        "time_range": [_iso(first), _iso(last)],
        "rows": {"read": ledger.rows_read, "written": plays, "dropped": dict(ledger.dropped)},
        "notes": dict(ledger.notes),
    }
    if ledger.examples:
        statistics["rejected_examples"] = ledger.examples
    if len(ratings) <= 20:  # a column of real numbers would fill pages
        statistics["ratings"] = {describe_rating(rating): count for rating, count in ratings}
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
