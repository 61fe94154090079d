"""CountNet's output layer: items of the history are scored in another way than all others, by their count.

Source: Petrov, Karra, Murphy, "CountNet: Utilising Repetition Counts in Sequential Recommendation", ECIR
2025. With h the state that predicts, e_i the embedding of item i, c its plays before, and m the mean of the
states at these plays:

* an item that was not played: ``(W_new h) e_i``
* one that was: ``((W_played h) e_i + (W_plays h) m) g(c)``, with ``g(1) = alpha`` and, from 2 plays on,
  ``g(c) = ln(c - 1 + beta)``

The three W have a bias; alpha and beta are learned, beta is kept positive, and both start at 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from recbole_popaware.plays.play_index import Hits, PlayIndex
from recbole_popaware.plays.ragged import ranges

PRODUCT, COUNTNET = "product", "countnet"
OUTPUTS = (PRODUCT, COUNTNET)


class CountNet(nn.Module):
    """The layer of the module's docstring.

    Args:
        size: H, the width of states and embeddings.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.new = nn.Linear(size, size)
        self.played = nn.Linear(size, size)
        self.plays = nn.Linear(size, size)
        self.alpha = nn.Parameter(torch.ones(()))
        self.raw_beta = nn.Parameter(torch.tensor(math.log(math.expm1(1.0))))

    def strength(self, counts: Tensor) -> Tensor:
        """The factor g of counts, which are at least 1."""
        often = torch.log((counts - 1).clamp(min=1) + softplus(self.raw_beta))
        return torch.where(counts == 1, self.alpha, often)

    def of_hits(self, hidden: Tensor, table: Tensor, states: Tensor, plays: PlayIndex, hits: Hits) -> Tensor:
        """Scores of items that were played before, ``[E]``.

        Args:
            hidden: ``[T, H]`` the state of each query.
            table: ``[n_items, H]`` embeddings of the items.
            states: ``[P, H]`` the state at each position of the histories.
            plays: The histories.
            hits: E pairs of a query and an item.
        """
        hit, index = ranges(hits.first, hits.ends)
        before = states[plays.positions[index]]
        sums = before.new_zeros(len(hits.query), before.size(1)).index_add(0, hit, before)
        means = sums / hits.plays.unsqueeze(1)
        of_item = (self.played(hidden)[hits.query] * table[plays.item_of(hits)]).sum(1)
        of_plays = (self.plays(hidden)[hits.query] * means).sum(1)
        return (of_item + of_plays) * self.strength(hits.plays)
