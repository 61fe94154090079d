"""All plays of a log in exact order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class OrderedPlays(NamedTuple):
    """Plays by user and then by time; plays of a user at one time keep the order of the log.

    Attributes:
        users: ``[P]`` user of each play.
        items: ``[P]`` its item.
        times: ``[P]`` its time, as exact as the log has it.
        ratings: ``[P]`` its graded value: like 2, play 1, skip -1, dislike -2.
    """

    users: np.ndarray
    items: np.ndarray
    times: np.ndarray
    ratings: np.ndarray

    @property
    def positive(self) -> np.ndarray:
        """Which plays have a rating above 0, ``[P]``: histories hold these only."""
        return self.ratings > 0

    def at(self, index: np.ndarray) -> OrderedPlays:
        """The plays at some positions, or those that a mask ``[P]`` chooses."""
        return OrderedPlays(*(column[index] for column in self))


def exact_order(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Positions ``[P]`` that put plays in the order of :class:`OrderedPlays`."""
    return np.lexsort((times, users))
