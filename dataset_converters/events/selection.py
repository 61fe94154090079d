"""Keep a part of the events: by time, by sampling users or items, by number of plays."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.readers import one_of, read_moment, read_switch, whole_number
from dataset_converters.events.disk import DiskLog
from dataset_converters.events.store import EventStore

SAMPLINGS = ("proportional", "popular", "uniform")

_REPEATED = 'seq NOT IN (SELECT min(seq) FROM events GROUP BY "user", item, time_us, rating)'
_BY_COUNT = "SELECT item, count(*) AS n FROM events GROUP BY item ORDER BY n DESC, min(seq)"


@dataclass(frozen=True)
class Selection:
    """What to keep; by default everything.

    Attributes:
        drop_duplicates: Whether of events alike in user, item, time and rating the first one stays.
        since: Microseconds since 1970 of the earliest event to keep.
        until: Events from here on go.
        users: Size of a random sample of the users.
        seed: Of both samples.
        sample_items: Size of a sample of the items.
        sampling: One of ``SAMPLINGS``.
        min_user_plays: Users with fewer events go.
        min_item_plays: Items with fewer events go; with ``min_user_plays`` until none is left (k-core).
    """

    drop_duplicates: Annotated[bool, Option(read_switch, "keep one of rows alike in all")] = False
    since: Annotated[int | None, Option(read_moment, "first moment to keep, UTC", "DATE", flag="--from")] = (
        None
    )
    until: Annotated[int | None, Option(read_moment, "first moment to leave out, UTC", "DATE")] = None
    users: Annotated[int | None, Option(whole_number(1), "random sample of N users", "N")] = None
    seed: Annotated[int, Option(whole_number(0, 2**32 - 1), "of the samples", "N")] = 27
    sample_items: Annotated[int | None, Option(whole_number(1), "sample of N items", "N")] = None
    sampling: Annotated[
        str, Option(one_of(*SAMPLINGS), "how to draw items", f"{{{','.join(SAMPLINGS)}}}")
    ] = "proportional"
    min_user_plays: Annotated[int, Option(whole_number(), "fewest plays of a user", "N")] = 0
    min_item_plays: Annotated[
        int, Option(whole_number(), "fewest plays of an item; with both, the k-core", "N")
    ] = 0

    @property
    def is_all(self) -> bool:
        """Whether everything is kept."""
        return self == Selection(sampling=self.sampling, seed=self.seed)


def select_events(store: EventStore, selection: Selection, ledger: Ledger) -> None:
    """Delete from the store what is not selected, in the order of the attributes above.

    Args:
        store: Indexed events.
        selection: What to keep.
        ledger: Counts each deleted event under its reason.
    """
    if not selection.is_all:
        _delete_unselected(store.on_disk(), selection, ledger)


def _delete_unselected(store: DiskLog, selection: Selection, ledger: Ledger) -> None:
    if selection.drop_duplicates:
        ledger.drop("duplicate: user, item, time and rating of an earlier row", store.delete(_REPEATED))
    if selection.since is not None:
        ledger.drop("time before --from", store.delete(f"time_us < {selection.since:d}"))
    if selection.until is not None:
        ledger.drop("time at or after --until", store.delete(f"time_us >= {selection.until:d}"))
    if selection.users is not None:
        codes = _sample_users(store, selection.users, selection.seed, ledger)
        ledger.drop("user not in the sample of --users", store.keep_listed("user", codes))
    if selection.sample_items is not None:
        codes = _sample_items(store, selection, ledger)
        ledger.drop("item not in the sample of --sample-items", store.keep_listed("item", codes))
    _keep_core(store, selection, ledger)


def _sample_users(store: DiskLog, size: int, seed: int, ledger: Ledger) -> pa.Array:
    users = np.array(store.query('SELECT DISTINCT "user" FROM events ORDER BY "user"'), np.int64).reshape(-1)
    if size >= len(users):
        ledger.note("users there are, not more than --users: all kept", len(users))
        return pa.array(users)
    return pa.array(np.random.RandomState(seed).choice(users, size, replace=False))


def _sample_items(store: DiskLog, selection: Selection, ledger: Ledger) -> pa.Array:
    """Draw items as the published program does, from the items by falling count."""
    size = selection.sample_items or 0
    counted = np.array(store.query(_BY_COUNT), np.int64).reshape(-1, 2)
    items, counts = counted[:, 0], counted[:, 1]
    if size >= len(items):
        ledger.note("items there are, not more than --sample-items: all kept", len(items))
        return pa.array(items)
    if selection.sampling == "popular":
        return pa.array(items[:size])
    if selection.sampling == "uniform":
        shuffled = items.tolist()
        random.Random(selection.seed).shuffle(shuffled)  # noqa: S311  # a sample, which a seed must give again
        return pa.array(shuffled[:size])
    generator = np.random.RandomState(selection.seed)
    return pa.array(generator.choice(items, size, replace=False, p=counts / counts.sum()))


def _keep_core(store: DiskLog, selection: Selection, ledger: Ledger) -> None:
    """Delete users and items with too few events until none is left that has."""
    limits = {"item": selection.min_item_plays, "user": selection.min_user_plays}
    changed = True
    while changed:
        changed = False
        for column, least in limits.items():
            rare = f'SELECT "{column}" FROM events GROUP BY "{column}" HAVING count(*) < {least:d}'  # noqa: S608  # names and numbers of our own
            deleted = store.delete(f'"{column}" IN ({rare})') if least > 1 else 0
            ledger.drop(f"{column} with fewer than {least} plays", deleted)
            changed = changed or bool(deleted)
