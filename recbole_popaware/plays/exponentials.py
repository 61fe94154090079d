"""A power law as a sum of exponentials, so that faded counts are brought up to date in O(1) a play."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LONGEST = 1e6  # plays, or hours: the delays up to which the error is stated
_TERMS = 26


class Exponentials(NamedTuple):
    """``f(delay) = sum_j weights_j * exp(-rates_j * delay)``.

    Attributes:
        rates: ``[J]``, from 0 up.
        weights: ``[J]``.
        error: The greatest relative error up to :data:`LONGEST`.
    """

    rates: np.ndarray
    weights: np.ndarray
    error: float

    @classmethod
    def of_power_law(cls, decay: float, offset: float) -> Exponentials:
        """Fit the weight of a play, ``((1 + delay + c) / (1 + c)) ** -d``, with small relative errors.

        Args:
            decay: d; 0 gives plain counts, with one term and no error.
            offset: c.
        """
        if decay == 0:
            return cls(np.zeros(1), np.ones(1), 0.0)
        delays = np.concatenate([np.arange(200.0), np.geomspace(200, LONGEST, 2000)])
        wanted = ((1 + delays + offset) / (1 + offset)) ** -decay
        rates = np.append(0.0, np.geomspace(0.5 / LONGEST, 5 / (1 + offset), _TERMS - 1))
        terms = np.exp(-np.outer(delays, rates)) / wanted[:, None]
        weights = np.linalg.lstsq(terms, np.ones(len(delays)), rcond=None)[0]
        return cls(rates, weights, float(np.abs(terms @ weights - 1).max()))
