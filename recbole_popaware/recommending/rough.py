"""Scores of a whole catalogue with few digits, which find candidates, and the exact scores of those.

A product in bfloat16 takes a fraction of the time where the processor knows that type. It has three digits,
which are enough to see which items may be in a list, and not enough to order them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.model.scorer import NetworkScorer

_ITEMS_AT_ONCE = 1 << 14  # whose products stay in the processor's cache until they are written out


class Exact(NamedTuple):
    """A network's scores in float32, one by one.

    Attributes:
        network: Scores states.
        hidden: ``[B, H]`` the rows' states.
    """

    network: NetworkScorer
    hidden: Tensor

    def of(self, items: Tensor) -> Tensor:
        """Scores of items ``[B, K]`` of each row."""
        return self.network.candidates(self.hidden, items)

    def pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """Scores ``[D]`` of an item of a row, both ``[D]``."""
        scores = (self.network.weighted(self.hidden)[rows] * self.network.table[items]).sum(1)
        return (
            scores if self.network.bias is None else scores + self.network.weighted(self.network.bias)[items]
        )


class RoughTable:
    """A model's table of items in bfloat16.

    Args:
        model: The model, in evaluation mode; see :func:`has_table`.
    """

    def __init__(self, model: PopularityAware) -> None:
        self._network = model.network_scorer()
        self._table = self._network.table.detach().bfloat16()

    def scores(self, hidden: Tensor, out: Tensor) -> Exact:
        """Write rough scores of all items; the exact ones are those of what is returned.

        Args:
            hidden: ``[B, H]`` states.
            out: ``[B, n_items]`` in float32, which takes the scores.
        """
        states = self._network.weighted(hidden).bfloat16()
        for start in range(0, len(self._table), _ITEMS_AT_ONCE):
            items = slice(start, start + _ITEMS_AT_ONCE)
            out[:, items] = torch.mm(states, self._table[items].T)
        if self._network.bias is not None:
            out += self._network.weighted(self._network.bias)
        return Exact(self._network, hidden)


def has_table(model: object) -> bool:
    """Whether a model's scores are products of states with a table of items, up to a head's constant."""
    return isinstance(model, PopularityAware) and model.replay is None and model.output is None
