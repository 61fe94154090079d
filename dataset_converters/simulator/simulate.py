"""Source ``simulate``: a made-up listening log. ``docs/datasets.md`` describes how it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.readers import whole_number
from dataset_converters.common.schema import EVENTS, RawLog
from dataset_converters.common.source import Source
from dataset_converters.simulator.catalogue import Catalogue, Floats, Ints, make_catalogue
from dataset_converters.simulator.listeners import make_listeners, play_times
from dataset_converters.simulator.listening import Listening

START = 1_672_617_600  # Monday 2023-01-02 00:00 UTC
_BATCH = 200_000


@dataclass(frozen=True)
class SimulateOptions:
    """Size of the log and seed; the same options give the same log everywhere."""

    users: Annotated[int, Option(whole_number(1), "users to make up", "N")] = 160
    items: Annotated[int, Option(whole_number(2), "items to make up", "N")] = 1_000
    plays: Annotated[int, Option(whole_number(1), "plays to make up, at least 5 a user", "N")] = 20_000
    days: Annotated[int, Option(whole_number(1), "length of the log", "N")] = 180
    seed: Annotated[int, Option(whole_number(), "of the log and the samples", "N")] = 2024


def read_events(options: SimulateOptions, ledger: Ledger) -> RawLog:
    """Make a log up.

    Args:
        options: Its size and seed.
        ledger: Counts the events.

    Returns:
        Events user by user, each user's in order of time; features of the items.

    Raises:
        ConversionError: There are fewer than 5 plays a user.
    """
    least = 5 * options.users
    if options.plays < least:
        raise ConversionError(
            f"--plays {options.plays} is too small: need at least {least}, 5 for each of --users"
        )
    rng = np.random.Generator(np.random.PCG64(options.seed))
    catalogue = make_catalogue(rng, options.items, options.days)
    listeners = make_listeners(rng, catalogue, options.users, options.plays, options.days)
    listening = Listening(rng, catalogue, listeners)
    listening.run()
    ledger.read(options.plays)
    times = START + play_times(listeners, listening.gaps())
    item_ids = _labels("t", options.items, rng)
    user_ids = _labels("u", options.users, rng)
    users = np.repeat(np.arange(options.users), listeners.plays)
    columns = (users, listening.tracks, times, listening.ratings)
    return RawLog(_batches(columns, user_ids, item_ids), _features(catalogue, item_ids), made_up=True)


def _batches(
    columns: tuple[Ints, Ints, Floats, Floats], user_ids: pa.Array, item_ids: pa.Array
) -> Iterator[pa.RecordBatch]:
    for begin in range(0, len(columns[0]), _BATCH):
        users, tracks, times, ratings = (column[begin : begin + _BATCH] for column in columns)
        yield pa.RecordBatch.from_arrays(
            [
                user_ids.take(pa.array(users)),
                item_ids.take(pa.array(tracks)),
                pa.array(times.astype(np.int64) * 1_000_000),
                pa.array(ratings),
            ],
            schema=EVENTS,
        )


def _labels(letter: str, count: int, rng: np.random.Generator) -> pa.Array:
    """Return ids in an order that gives nothing away."""
    width = len(str(count))
    order = np.argsort(rng.random(count), kind="stable")
    return pa.array([f"{letter}{number + 1:0{width}}" for number in order.tolist()])


def _features(catalogue: Catalogue, item_ids: pa.Array) -> pa.Table:
    genre = catalogue.genre[catalogue.artist]
    return pa.table(
        {
            "item_id": item_ids,
            "artist": pa.array([f"artist-{number + 1}" for number in catalogue.artist.tolist()]),
            "genre": pa.array([f"genre-{number + 1}" for number in genre.tolist()]),
            "duration": pa.array(catalogue.seconds.astype(np.int64)),
        }
    )


SOURCE = Source(
    "a made-up listening log", "", SimulateOptions, lambda _, options, ledger: read_events(options, ledger)
)
