"""What the simulator's listeners play, one step of all users at a time.

Shapes: P plays; see docs/glossary.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset_converters.simulator.catalogue import Catalogue, Floats, Ints
from dataset_converters.simulator.listeners import FAVOURITES, Listeners

_DAY = 86_400.0
_CURRENT = 10  # favourite artists that count at any one time
Mask = npt.NDArray[np.bool_]


class Listening:
    """The walk of all users through the catalogue.

    Step t makes the t-th play of every user who has that many. Users come with the most plays
    first, so those still active are always the first ones and every step works on slices.

    Attributes:
        tracks: Track of each play, ``[P]``, users one after another.
        ratings: Rating of each play, ``[P]``.
    """

    def __init__(self, rng: np.random.Generator, catalogue: Catalogue, listeners: Listeners) -> None:
        users, plays = len(listeners.plays), int(listeners.start[-1])
        self._rng, self._catalogue, self._listeners = rng, catalogue, listeners
        self._releases = catalogue.release[catalogue.newest]  # rising
        self.tracks: Ints = np.zeros(plays, dtype=np.int64)
        self.ratings: Floats = np.zeros(plays)
        # Positive plays of each user, likes twice: what replays are drawn from.
        self._memory = np.zeros(2 * plays, dtype=np.int32)
        self._known: Ints = np.zeros(users, dtype=np.int64)
        self._last: Ints = np.zeros(users, dtype=np.int64)
        # Position in the memory that the last play was taken from, -1 if it was no replay.
        self._replayed: Ints = np.full(users, -1, dtype=np.int64)

    def run(self) -> None:
        """Make all plays."""
        plays = self._listeners.plays
        for step in range(int(plays[0])):
            active = int(np.searchsorted(-plays, -step, side="left"))
            self._play(step, active)

    def gaps(self) -> Floats:
        """Return the seconds from each play to the next, ``[P]``: a skipped track ends early."""
        uniform = self._rng.random(len(self.tracks))
        whole = self._catalogue.seconds[self.tracks] + np.floor(8 * uniform)
        return np.where(self.ratings < 0, np.floor(4 + 30 * uniform), whole)

    def _play(self, step: int, active: int) -> None:
        listeners = self._listeners
        row = listeners.start[:active] + step
        uniform = self._rng.random((7, active))
        known = self._known[:active]
        position = self._replayed_position(uniform[:3], known)
        explores = listeners.explores[:active]
        replays = (uniform[3] * (known + 8.0) < (1 - explores) * known) & (known > 0)
        memory = self._memory[2 * listeners.start[:active] + np.maximum(position, 0)]
        tracks = np.where(replays, memory, self._discover(row, uniform[4:6], active))
        goes_on = ~listeners.opens[row] & (uniform[0] < listeners.continues[:active])
        tracks = np.where(goes_on, self._catalogue.following(self._last[:active]), tracks)
        replays &= ~goes_on
        today = listeners.planned[row] / _DAY
        unreleased = self._catalogue.release[tracks] > today
        first = self._catalogue.start[self._catalogue.artist[tracks]]
        tracks = np.where(unreleased, first, tracks)
        self._replayed[:active] = np.where(replays, position, -1)
        self._remember(row, tracks, _rate(uniform[6], replays, goes_on), active)

    def _replayed_position(self, uniform: Floats, known: Ints) -> Ints:
        """Draw a position in each memory: the one after the last replay, or one by recency.

        A position ``age`` entries back has a chance in proportion to ``age ** -d``, so a track's
        chance grows with the number of its plays and shrinks with their age.
        """
        active = len(known)
        power = 1 - self._listeners.forgets[:active]
        age = (((known + 1.0) ** power - 1) * uniform[1] + 1) ** (1 / power)
        drawn = known - np.clip(np.floor(age).astype(np.int64), 1, np.maximum(known, 1))
        after = self._replayed[:active] + 1
        resumes = (after > 0) & (after < known) & (uniform[2] < 0.35)
        return np.where(resumes, after, drawn)

    def _discover(self, row: Ints, uniform: Floats, active: int) -> Ints:
        """Draw a track from favourite artists, similar ones, the charts or new releases."""
        catalogue, listeners = self._catalogue, self._listeners
        way, rest = uniform[0], uniform[1]
        progress = (row - listeners.start[:active]) / listeners.plays[:active]
        drift = np.floor(progress * (FAVOURITES - _CURRENT)).astype(np.int64)
        rank = np.floor(_CURRENT * (way * 2 % 1) ** 2).astype(np.int64)
        artist = np.select(
            [way < 0.5, way < 0.7],
            [
                listeners.favourites[np.arange(active), drift + rank],
                catalogue.similar_artist(catalogue.artist[self._last[:active]], way * 5 % 1),
            ],
            catalogue.pick_artist((way - 0.7) / 0.3 * (way >= 0.7)),
        )
        today = listeners.planned[row] / _DAY
        released = np.searchsorted(self._releases, today, side="right")
        recent = np.maximum(released - 1 - np.floor(rest * 0.02 * len(catalogue.release)), 0)
        new = catalogue.newest[recent.astype(np.int64)]
        return np.where(way >= 0.9, new, catalogue.pick_track(artist, rest))

    def _remember(self, row: Ints, tracks: Ints, ratings: Floats, active: int) -> None:
        self.tracks[row], self.ratings[row] = tracks, ratings
        self._last[:active] = tracks
        begin = 2 * self._listeners.start[:active]
        for liked_enough in (ratings > 0, ratings > 1):
            who = np.flatnonzero(liked_enough)
            self._memory[begin[who] + self._known[who]] = tracks[who]
            self._known[who] += 1


def _rate(uniform: Floats, replays: Mask, goes_on: Mask) -> Floats:
    """Draw ratings: discoveries are skipped most, replays least."""
    skipped = np.select([replays, goes_on], [0.06, 0.12], 0.28)
    disliked = 0.1 * skipped
    return np.select([uniform < disliked, uniform < skipped, uniform > 0.95], [-2.0, -1.0, 2.0], 1.0)
