"""The made-up listeners of the simulator: how much, when and what they like to play.

Shapes: U users, P plays; see docs/glossary.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset_converters.simulator.catalogue import GENRES, Catalogue, Floats, Ints

FAVOURITES = 30  # artists that a user goes through over the whole log
_DAY = 86_400.0
# Chance of a session in each hour of a day: quiet nights, a morning rise, a peak in the evening.
_WEEKDAY = [2, 1, 1, 1, 1, 2, 5, 9, 8, 5, 4, 4, 6, 5, 4, 5, 7, 10, 12, 13, 13, 12, 8, 4]
_WEEKEND = [5, 3, 2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 9, 9, 9, 9, 10, 11, 12, 12, 11, 8]


@dataclass(frozen=True)
class Listeners:
    """Users, those with most plays first.

    Attributes:
        plays: Plays of each user, falling, ``[U]``.
        start: Where each user's plays begin in arrays of all plays, and their end: ``[U + 1]``.
        favourites: Favourite artists, roughly in the order they are taken up, ``[U, FAVOURITES]``.
        explores: Chance that a play is a discovery once the user knows enough tracks, ``[U]``.
        continues: Chance to go on with the next track of the same artist, ``[U]``.
        forgets: Exponent d of the recency law for replays, ``[U]``.
        opens: Whether a play opens a session, ``[P]``.
        planned: Second at which the session of a play should begin, ``[P]``.
    """

    plays: Ints
    start: Ints
    favourites: Ints
    explores: Floats
    continues: Floats
    forgets: Floats
    opens: np.ndarray[tuple[int], np.dtype[np.bool_]]
    planned: Floats


def make_listeners(
    rng: np.random.Generator, catalogue: Catalogue, users: int, plays: int, days: float
) -> Listeners:
    """Make users and plan their sessions.

    Args:
        rng: Only its ``random`` method is used.
        catalogue: Where the favourite artists come from.
        users: Number of users U.
        plays: Number of plays P of all users together, at least 5 a user.
        days: Length of the log.

    Returns:
        The listeners.
    """
    counts = _spread(rng, users, plays)
    start = np.concatenate([[0], np.cumsum(counts)])
    traits = rng.random((4, users))
    opens = rng.random(plays) < np.repeat(1 / (5 + 12 * traits[3]), counts)
    opens[start[:-1]] = True
    return Listeners(
        plays=counts,
        start=start,
        favourites=_favourites(rng, catalogue, users),
        explores=0.10 + 0.45 * traits[0],
        continues=0.10 + 0.30 * traits[1],
        forgets=0.10 + 0.75 * traits[2],
        opens=opens,
        planned=_plan(rng, np.repeat(np.arange(users), counts)[opens], users, days)[np.cumsum(opens) - 1],
    )


def play_times(listeners: Listeners, gaps: Floats) -> Floats:
    """Lay plays end to end within sessions, and sessions one after another.

    Args:
        listeners: Their sessions.
        gaps: Seconds from each play to the next, ``[P]``.

    Returns:
        Second of each play from the beginning of the log, rising within each user, ``[P]``.
    """
    spent = np.cumsum(gaps + 1) - (gaps + 1)
    spent = spent - np.repeat(spent[listeners.start[:-1]], listeners.plays)
    # A session waits for the one before: start_s = max(planned_s, end of s - 1), in closed form.
    slack = np.where(listeners.opens, listeners.planned - spent, -np.inf)
    apart = np.repeat(np.arange(len(listeners.plays)) * 1e10, listeners.plays)
    return np.floor(np.maximum.accumulate(slack + apart) - apart + spent)


def _spread(rng: np.random.Generator, users: int, plays: int) -> Ints:
    """Deal plays out to users, a few have many: roughly log-normal, at least 5 each."""
    radius, angle = rng.random((2, users))
    normal = np.sqrt(-2 * np.log(1 - radius)) * np.cos(2 * np.pi * angle)
    share = np.exp(0.8 * normal)
    spare = plays - 5 * users
    counts = 5 + np.floor(spare * share / np.cumsum(share)[-1]).astype(np.int64)
    counts = -np.sort(-counts)
    missing = plays - int(counts.sum())
    counts[:missing] += 1
    return counts


def _favourites(rng: np.random.Generator, catalogue: Catalogue, users: int) -> Ints:
    """Draw artists from the chart, three tries each to hit one of the user's two genres."""
    home = np.floor(rng.random((users, 1, 2)) * GENRES).astype(np.int64)
    tries = catalogue.pick_artist(rng.random((users, FAVOURITES, 3)))
    fits = (catalogue.genre[tries][..., None] == home[:, :, None, :]).any(axis=-1)
    fits[..., -1] = True
    chosen: Ints = np.take_along_axis(tries, fits.argmax(axis=-1)[..., None], axis=-1)
    return chosen[..., 0]


def _plan(rng: np.random.Generator, owner: Ints, users: int, days: float) -> Floats:
    """Draw the beginnings of sessions, rising within each user.

    Users join in the first 40 % of the log; each lives in one of seven time zones.
    """
    joined, zone = rng.random((2, users))
    day_share, hour_share = rng.random((2, len(owner)))
    joined = 0.4 * joined[owner]
    day = np.floor((joined + (1 - joined) * day_share) * days)
    hours = np.where(day % 7 < 5, _hour(hour_share, _WEEKDAY), _hour(hour_share, _WEEKEND))
    offset = np.floor(zone[owner] * 7) - 3
    second = day * _DAY + ((hours + offset) % 24) * 3_600
    in_order: Floats = np.sort(owner * 1e10 + np.floor(second)) - owner * 1e10
    return in_order


def _hour(uniform: Floats, weights: list[int]) -> Floats:
    """Draw an hour of the day, with its fraction."""
    edges = np.concatenate([[0], np.cumsum(weights)]) / sum(weights)
    return np.interp(uniform, edges, np.arange(len(edges)))
