"""What a network's hidden states add: items played and items never played have scales of their own.

One vector cannot say both what is to be repeated and what is to be discovered (CountNet, ECIR 2025;
softmax-CPR, WSDM 2024). A projection scales the dimensions of the state: full matrices over-fit the few
moments that they are learned on (``benchmarks/README.md``). Weights depend on the listener's habits. The
network itself is not trained by these scores: they are learned at moments that it has not been trained on,
so that one that over-fits counts less.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from recbole_popaware.replay.term import Term

_START = -2.0  # before softplus: a weight of 0.13


class View(NamedTuple):
    """What a network sees.

    Attributes:
        hidden: ``[Q, H]`` its state at each moment.
        table: ``[n_items, H]`` embeddings of the items.
    """

    hidden: Tensor
    table: Tensor

    @classmethod
    def of(cls, hidden: Tensor, table: Tensor) -> View:
        """Centre the embeddings: what all items have in common orders nothing."""
        return cls(hidden, table - table[1:].mean(0))


class NetworkTerm(nn.Module):
    """Scores from a view.

    Args:
        size: H.
        n_user: Number of habits.
        hidden: Width inside.
        dropout: Dropout inside.
    """

    def __init__(self, size: int, n_user: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.ones(2, size))  # for played and for new items
        self.start = nn.Parameter(torch.full((2,), _START))
        self.weights = Term(n_user, hidden, dropout, 2)

    def played(self, view: View, habits: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Scores ``[D]`` of played items ``[D]`` of moments ``[D]``; ``habits`` are ``[Q, U]``."""
        state = self._states(view, habits, 0)
        return (state[rows] * view.table[items]).sum(1)

    def new(self, view: View, habits: Tensor, items: Tensor | None = None) -> Tensor:
        """Scores ``[Q, C]`` of new items ``[Q, C]``, or ``[Q, n_items]`` of all."""
        state = self._states(view, habits, 1)
        if items is None:
            return state @ view.table.T
        return (view.table[items] @ state.unsqueeze(2)).squeeze(2)

    def _states(self, view: View, habits: Tensor, which: int) -> Tensor:
        weight = functional.softplus(self.start[which] + self.weights(habits)[:, which : which + 1])
        return view.hidden * self.scales[which] * weight
