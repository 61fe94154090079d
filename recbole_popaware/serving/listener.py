"""What a session remembers of one user: brought up to date in a time per play that does not grow."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np


class Head(NamedTuple):
    """What a popularity head counts, and the form of its scores; docs/method.md has the formulas.

    Attributes:
        form: ``softmax``, ``sigmoid`` or ``none``.
        limit: How many of the newest plays count; ``None``: all.
        hours: Whether ages are in hours, not plays.
        scale: ``[5]`` alpha, eps, d, c and b.
        rates: ``[J]`` of the exponentials whose sum is the weight of a play, where all plays count.
        weights: ``[J]`` theirs.
        n_items: Items of the catalogue.
    """

    form: str
    limit: int | None
    hours: bool
    scale: np.ndarray
    rates: np.ndarray
    weights: np.ndarray
    n_items: int

    def score(self, strength: np.ndarray, most: float, total: float) -> np.ndarray:
        """Scores of items of some strength ``[E]``, given the greatest count and the sum of the strengths."""
        if self.form == "none":
            return np.zeros_like(strength)
        alpha, epsilon, _, _, constant = self.scale
        against = np.full_like(strength, most + epsilon)
        if self.form == "sigmoid":
            against = np.maximum(total - strength, 0) + epsilon * (self.n_items - 1)
        scores: np.ndarray = alpha * (np.log(strength + epsilon) - np.log(against)) + constant
        return scores


class Listener:
    """One user's plays, as far as lists need them.

    Args:
        length: L, the window of the network.
        head: What the head counts.

    Attributes:
        window: The newest plays, at most L.
        plays: How often each item was played, ever.
        newest: Time of the newest play.
    """

    def __init__(self, length: int, head: Head) -> None:
        self.window: deque[int] = deque(maxlen=length)
        self.plays: dict[int, int] = {}
        self.newest = -np.inf
        self._head, self._clock = head, 0.0
        self._recent: deque[tuple[int, float]] = deque(maxlen=head.limit or 1)
        self._sums: dict[int, tuple[float, np.ndarray]] = {}  # of items: moment of the newest play, [J] then

    def add(self, item: int, time: float) -> None:
        """Take a play into account that is not older than those before."""
        if not self._head.hours:
            self._clock += 1
        elif self.plays:
            self._clock += (time - self.newest) / 3600
        self.newest = time
        self.window.append(item)
        self.plays[item] = self.plays.get(item, 0) + 1
        if self._head.limit is not None:
            self._recent.append((item, self._clock))
            return
        before, sums = self._sums.get(item, (self._clock, np.zeros(len(self._head.rates))))
        self._sums[item] = self._clock, 1 + sums * np.exp((before - self._clock) * self._head.rates)

    def scores(self) -> tuple[dict[int, float], float]:
        """The head's scores: those of the items that it counts, and that of all others."""
        if self._head.limit is None:
            items = np.array(list(self._sums))
            moments, sums = (np.array(column) for column in zip(*self._sums.values()))
            fading = np.exp(np.outer(moments - self._clock, self._head.rates))
            strength, most = (sums * fading) @ self._head.weights, max(self.plays.values())
        else:
            _, _, decay, offset, _ = self._head.scale
            plays, moments = (np.array(column) for column in zip(*self._recent))
            items, index, counts = np.unique(plays, return_inverse=True, return_counts=True)
            weights = ((1 + self._clock - moments + offset) / (1 + offset)) ** -decay
            strength, most = np.bincount(index, weights), int(counts.max())
        *scores, unplayed = self._head.score(np.append(strength, 0.0), most, strength.sum()).tolist()
        return dict(zip(items.tolist(), scores)), unplayed
