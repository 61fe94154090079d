"""The made-up catalogue of the simulator: artists, their tracks, genres and release days.

Shapes: N tracks, A artists; see docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GENRES = 12
_LARGEST_EXTRA = 38  # tracks that the most productive artist has beyond two


@dataclass(frozen=True)
class Catalogue:
    """Tracks are sorted by artist, in the running order of the artist's records.

    Attributes:
        artist: Artist of each track, ``[N]``.
        start: First track of each artist and, last, N: ``[A + 1]``.
        genre: Genre of each artist, ``[A]``; artist 0 is the most popular one.
        release: Day of release of each track, 0 if older than the log, ``[N]``.
        seconds: Length of each track, ``[N]``.
        chart: Cumulative popularity of the artists, ends in 1: ``[A]``.
        newest: Tracks in order of release, ``[N]``.
    """

    artist: Ints
    start: Ints
    genre: Ints
    release: Floats
    seconds: Floats
    chart: Floats
    newest: Ints

    def pick_artist(self, uniform: Floats) -> Ints:
        """Draw artists by popularity (Zipf) from uniform numbers of any shape."""
        return np.searchsorted(self.chart, uniform, side="right").astype(np.int64)

    def pick_track(self, artist: Ints, uniform: Floats) -> Ints:
        """Draw a track of each artist: the r-th has a chance of about 1/r."""
        size = self.start[artist + 1] - self.start[artist]
        rank = np.floor(np.exp(uniform * np.log(size + 1.0))).astype(np.int64) - 1
        track: Ints = self.start[artist] + np.clip(rank, 0, size - 1)
        return track

    def following(self, track: Ints) -> Ints:
        """Return the next track in the artist's running order; the first follows the last."""
        artist = self.artist[track]
        after = track + 1
        return np.where(after < self.start[artist + 1], after, self.start[artist])

    def similar_artist(self, artist: Ints, uniform: Floats) -> Ints:
        """Draw one of a few artists near in popularity, two times in three of the same genre."""
        step = 1 + np.floor(uniform * 3).astype(np.int64)
        near = (artist + step * GENRES) % len(self.genre)
        return np.where(uniform * 9 % 3 < 2, near, (artist + step) % len(self.genre))


def make_catalogue(rng: np.random.Generator, items: int, days: float) -> Catalogue:
    """Make a catalogue.

    Args:
        rng: Only its ``random`` method is used, whose numbers do not change between versions.
        items: Number of tracks N.
        days: Length of the log; a quarter of the tracks come out while it runs.

    Returns:
        The catalogue; the first track of each artist is out from the beginning.
    """
    sizes = 2 + np.floor(_LARGEST_EXTRA * rng.random(items) ** 3).astype(np.int64)
    start = np.minimum(np.concatenate([[0], np.cumsum(sizes)]), items)
    start = start[: int(np.searchsorted(start, items)) + 1]
    artists = len(start) - 1
    artist = np.repeat(np.arange(artists), np.diff(start))
    uniform = rng.random((3, items))
    release = np.where(uniform[0] < 0.25, uniform[1] * days, 0.0)
    release[start[:-1]] = 0.0
    popularity = np.cumsum((np.arange(artists) + 2.0) ** -0.9)
    chart = popularity / popularity[-1]
    return Catalogue(
        artist=artist,
        start=start,
        genre=np.arange(artists) % GENRES,
        release=release,
        seconds=np.floor(130 + 200 * uniform[2] ** 1.5),
        chart=chart,
        newest=np.argsort(release, kind="stable"),
    )
