"""Raw logs of any size, simulated as fast as they are written: listeners who replay items of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 1_000_000
FIRST_SECOND, SECONDS = 1_100_000_000, 500_000_000
OWN_ITEMS = 400  # that a listener plays, the first ones much more often
SHARE_SKIPPED = 0.1


@dataclass(frozen=True)
class Shape:
    """How large a log is.

    Attributes:
        plays: Plays in all.
        users: Users; in a flat log a few of them may have no play.
        items: Items, of which each is played.
        least: Fewest plays of a user in a nested log.
        most: Most plays of a user in a nested log, which one user has.
    """

    plays: int
    users: int
    items: int
    least: int = 24
    most: int = 10_988


def write_flat(path: Path, shape: Shape) -> None:
    """Write parquet of Yambda's columns, a row for each play, in order of time, so that users take turns."""
    generator = np.random.default_rng(1)
    schema = pa.schema(
        {
            "uid": pa.uint32(),
            "item_id": pa.uint32(),
            "timestamp": pa.uint32(),
            "played_ratio_pct": pa.uint16(),
        }
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, shape.plays, CHUNK):
            plays = np.arange(start, min(start + CHUNK, shape.plays))
            users = generator.integers(shape.users, size=len(plays))
            times = FIRST_SECOND + plays * SECONDS // shape.plays
            ratios = np.where(generator.random(len(plays)) < SHARE_SKIPPED, 20, 100)
            columns = users, draw_items(users, plays, shape, generator), times, ratios
            writer.write_table(pa.table([*map(pa.array, columns)], names=schema.names).cast(schema))


def write_nested(folder: Path, shape: Shape) -> None:
    """Write ``interactions.parquet``, a row for each user with a list of actions, and ``tracks.parquet``."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(1)
    number = pa.array(np.arange(shape.items))
    tracks = {
        "track_id": pa.array([f"track-{n:07}" for n in range(shape.items)]),
        "track_index": number,
        "artist": pa.array([f"artist-{n // 12:06}" for n in range(shape.items)]),
    }
    pq.write_table(pa.table(tracks), folder / "tracks.parquet")
    sizes, writer = draw_sizes(shape, generator), None
    start = 0
    for first, users in _portions(sizes):
        rows = np.arange(start, start + users.sum())
        of_row = np.repeat(np.arange(first, first + len(users)), users)
        times = FIRST_SECOND + generator.integers(SECONDS, size=len(rows))
        times = times[np.lexsort((times, of_row))]
        skipped = generator.random(len(rows)) < SHARE_SKIPPED
        actions = pa.StructArray.from_arrays(
            [
                pa.array(draw_items(of_row, rows, shape, generator)),
                pa.array(times).cast(pa.timestamp("s", "UTC")),
                pa.array(np.where(skipped, -1, 1).astype(np.int8)),
            ],
            names=["track_index", "time", "action"],
        )
        lists = pa.ListArray.from_arrays(pa.array(np.append(0, users.cumsum()).astype(np.int32)), actions)
        columns = {"character_index": np.arange(first, first + len(users)), "actions": lists}
        table = pa.table({**columns, "size_of_actions": users})
        writer = writer or pq.ParquetWriter(folder / "interactions.parquet", table.schema)
        writer.write_table(table)
        start += len(rows)
    if writer:
        writer.close()


def draw_items(
    users: np.ndarray, plays: np.ndarray, shape: Shape, generator: np.random.Generator
) -> np.ndarray:
    """Items of plays ``[P]``: now and then the next one of the catalogue, otherwise one of the user's own."""
    every = shape.plays // shape.items
    own = (OWN_ITEMS * generator.random(len(users)) ** 3).astype(np.uint64)
    drawn = _uniform(users.astype(np.uint64) * np.uint64(OWN_ITEMS) + own)
    items = (shape.items * drawn**3).astype(np.int64)  # which are popular ones rather than others
    in_turn = (plays % every == 0) & (plays // every < shape.items)
    return np.where(in_turn, plays // every, items)


def draw_sizes(shape: Shape, generator: np.random.Generator) -> np.ndarray:
    """Plays of each user, ``[users]``, which sum to ``plays``: few users have many.

    Raises:
        ValueError: That many plays do not fit.
    """
    spare, width = shape.plays - shape.users * shape.least, shape.most - shape.least
    if not width <= spare <= width * shape.users:
        raise ValueError(
            f"{shape.users} users cannot have {shape.plays} plays of {shape.least} to {shape.most}"
        )
    weights = generator.pareto(1.2, shape.users)
    weights[0] = np.inf
    low, high = 0.0, float(spare)
    for _ in range(100):
        middle = (low + high) / 2
        fits = np.minimum(weights * middle, width).astype(np.int64).sum() <= spare
        low, high = (middle, high) if fits else (low, middle)
    more = np.minimum(weights * low, width).astype(np.int64)
    left = np.flatnonzero(more < width)[: spare - more.sum()]
    more[left] += 1
    return generator.permutation(more + shape.least)


def _portions(sizes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Cut users into portions of about ``CHUNK`` plays: the first user of each, and the sizes."""
    cuts = np.flatnonzero(np.diff(sizes.cumsum() // CHUNK)) + 1
    first = 0
    for users in np.split(sizes, cuts):
        yield first, users
        first += len(users)


def _uniform(numbers: np.ndarray) -> np.ndarray:
    """A number from [0, 1) for each whole one, always the same (the finaliser of SplitMix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
    return (numbers ^ (numbers >> np.uint64(31))) / 2.0**64
