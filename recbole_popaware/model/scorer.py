"""Scores of items: those of a network and those of a head, of the whole catalogue or of chosen candidates."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.model.heads import Head
from recbole_popaware.model.pieces import in_pieces
from recbole_popaware.plays.play_index import PlayIndex, Queries


class NetworkScorer(NamedTuple):
    """Scores that hidden states give to items: products with the items' embeddings.

    Attributes:
        table: ``[n_items, H]`` embeddings.
        bias: ``[n_items]`` a constant of each item, if the network has one.
        factors: Numbers that all scores are multiplied by.
    """

    table: Tensor
    bias: Tensor | None = None
    factors: tuple[Tensor, ...] = ()

    def catalogue(self, hidden: Tensor, out: Tensor | None = None) -> Tensor:
        """Scores of all items ``[T, n_items]``, in float32 also where autocast halves the product.

        Args:
            hidden: ``[T, H]``.
            out: ``[T, n_items]`` a tensor to write them to, where no gradient is needed.
        """
        scores = torch.mm(self.weighed(hidden), self.table.T, out=out)
        if self.bias is not None:
            scores = torch.add(scores, self.weighed(self.bias), out=out)
        return scores if scores.dtype == torch.float64 else scores.float()

    def candidates(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores of some items.

        Args:
            hidden: ``[T, H]``, or ``[B, M, H]`` for M states that share their items.
            items: ``[T, K]``, or ``[B, K]``.

        Returns:
            ``[T, K]``, or ``[B, M, K]``.
        """
        hidden, embedded = self.weighed(hidden), self.table[items]
        bias = None if self.bias is None else self.weighed(self.bias)[items]
        if hidden.dim() == 2:
            scores = (embedded @ hidden.unsqueeze(-1)).squeeze(-1)
            return scores if bias is None else scores + bias
        scores = hidden @ embedded.transpose(1, 2)
        return scores if bias is None else scores + bias.unsqueeze(1)

    def of_rows(self, hidden: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[B, K]``, those of each state's row; rows ``[T]`` ascend."""
        sizes = torch.bincount(rows, minlength=len(items))
        column = torch.arange(len(rows), device=rows.device) - (sizes.cumsum(0) - sizes)[rows]
        padded = hidden.new_zeros(len(items), int(sizes.max()), hidden.size(1))
        padded = padded.index_put((rows, column), hidden)
        return self.candidates(padded, items)[rows, column]

    def weighed(self, x: Tensor) -> Tensor:
        """Hidden states or constants times the factors."""
        for factor in self.factors:
            x = x * factor
        return x


class Scorer(NamedTuple):
    """The scores that a model ranks by, at T points in the histories of a batch.

    Attributes:
        network: Scores hidden states ``[T, H]``.
        head: Scores the plays before the points, if it is not switched off.
        plays: The histories; R rows.
        queries: The T points in them.
    """

    network: NetworkScorer
    head: Head | None
    plays: PlayIndex
    queries: Queries

    def at(self, index: Tensor) -> Scorer:
        """The same at some of the points."""
        return self._replace(queries=self.queries.at(index))

    def catalogue(self, hidden: Tensor) -> Tensor:
        """Scores of all items, ``[T, n_items]``."""
        scores = self.network.catalogue(hidden)
        return scores if self.head is None else self.head.add_to_(scores, self.plays, self.queries)

    def candidates(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[T, K]``."""
        scores = in_pieces(self.network.candidates, (hidden, items), items.size(1) * hidden.size(1))
        if self.head is None:
            return scores
        return scores + self.head.candidates(self.plays, self.queries, items)

    def shared(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[R, K]`` that all points of a row share, or ``[1, K]`` that all do."""
        if len(items) == 1:
            scores = self.network.candidates(hidden.unsqueeze(0), items).squeeze(0)
        else:
            scores = self.network.of_rows(hidden, self.queries.rows, items)
        if self.head is None:
            return scores
        of_rows = items.expand(len(self.plays.starts) - 1, -1)
        return scores + self.head.candidates(self.plays, self.queries, of_rows, by_row=True)
