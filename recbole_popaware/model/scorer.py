"""Scores of items: those of a network and those of a head, of the whole catalogue or of chosen candidates."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recbole_popaware.model.count_output import CountNet
from recbole_popaware.model.heads import Head
from recbole_popaware.model.pieces import in_pieces
from recbole_popaware.model.rows import rows_at
from recbole_popaware.plays.play_index import Hits, PlayIndex, Queries


class NetworkScorer(NamedTuple):
    """Scores that hidden states give to items: products with the items' embeddings.

    Attributes:
        weight: ``[n_items or more, H]`` embeddings; BERT4Rec's hold its mask as well.
        n_items: Size of the catalogue with the padding id 0.
        bias: ``[n_items]`` a constant of each item, if the network has one.
        factors: Numbers that all scores are multiplied by.
        sparse: Whether scores of some items have sparse gradients, of their rows only.
    """

    weight: Tensor
    n_items: int
    bias: Tensor | None = None
    factors: tuple[Tensor, ...] = ()
    sparse: bool = False

    @property
    def table(self) -> Tensor:
        """Embeddings of the catalogue, ``[n_items, H]``."""
        return self.weight[: self.n_items]

    def catalogue(self, hidden: Tensor, out: Tensor | None = None) -> Tensor:
        """Scores of all items ``[T, n_items]``, in float32 also where autocast halves the product.

        Args:
            hidden: ``[T, H]``.
            out: ``[T, n_items]`` a tensor to write them to, where no gradient is needed.
        """
        scores = torch.mm(self.weighted(hidden), self.table.T, out=out)
        if self.bias is not None:
            scores = torch.add(scores, self.weighted(self.bias), out=out)
        return scores if scores.dtype == torch.float64 else scores.float()

    def candidates(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores of some items.

        Args:
            hidden: ``[T, H]``, or ``[B, M, H]`` for M states that share their items.
            items: ``[T, K]``, or ``[B, K]``.

        Returns:
            ``[T, K]``, or ``[B, M, K]``.
        """
        hidden, embedded = self.weighted(hidden), rows_at(self.weight, items, self.sparse)
        bias = None if self.bias is None else self.weighted(rows_at(self.bias, items, self.sparse))
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

    def weighted(self, x: Tensor) -> Tensor:
        """Hidden states or constants times the factors."""
        for factor in self.factors:
            x = x * factor
        return x


class Output(NamedTuple):
    """Another layer for the scores of items that were played before.

    Attributes:
        layer: The layer.
        states: ``[P, H]`` the network's state at each position of the histories.
    """

    layer: CountNet
    states: Tensor

    def set_played_(
        self, scores: Tensor, hidden: Tensor, network: NetworkScorer, plays: PlayIndex, hits: Hits
    ) -> None:
        """Set the scores ``[T, K]`` of played items, in place.

        Args:
            scores: Those of the network.
            hidden: ``[T, H]`` states that predict.
            network: Has the embeddings, and what else applies to its scores.
            plays: The histories.
            hits: Where the played items are among the scores.
        """
        played = self.layer.of_hits(hidden, network.table, self.states, plays, hits)
        played = network.weighted(played)
        if network.bias is not None:
            played = played + network.weighted(network.bias)[plays.item_of(hits)]
        width = scores.size(1)
        scores.index_put_((hits.at // width, hits.at % width), played.to(scores.dtype))


class Scorer(NamedTuple):
    """The scores that a model ranks by, at T points in the histories of a batch.

    Attributes:
        network: Scores hidden states ``[T, H]``.
        head: Scores the plays before the points, if it is not switched off.
        plays: The histories; R rows.
        queries: The T points in them.
        output: What scores played items in place of the network's products, if anything does.
    """

    network: NetworkScorer
    head: Head | None
    plays: PlayIndex
    queries: Queries
    output: Output | None = None

    def at(self, index: Tensor) -> Scorer:
        """The same at some of the points."""
        return self._replace(queries=self.queries.at(index))

    def catalogue(self, hidden: Tensor) -> Tensor:
        """Scores of all items, ``[T, n_items]``."""
        scores = self.network.catalogue(self._of_new(hidden))
        if self.output is not None:
            hits = self.plays.everything(self.queries)
            self.output.set_played_(scores, hidden, self.network, self.plays, hits)
        return scores if self.head is None else self.head.add_to_(scores, self.plays, self.queries)

    def candidates(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[T, K]``."""
        inputs = self._of_new(hidden), items
        scores = in_pieces(self.network.candidates, inputs, items.size(1) * hidden.size(1))
        if self.output is not None:
            hits = self.plays.find(self.queries, items)
            self.output.set_played_(scores, hidden, self.network, self.plays, hits)
        if self.head is None:
            return scores
        return scores + self.head.candidates(self.plays, self.queries, items)

    def shared(self, hidden: Tensor, items: Tensor) -> Tensor:
        """Scores ``[T, K]`` of items ``[R, K]`` that all points of a row share, or ``[1, K]`` that all do."""
        new = self._of_new(hidden)
        if len(items) == 1:
            scores = self.network.candidates(new.unsqueeze(0), items).squeeze(0)
        else:
            scores = self.network.of_rows(new, self.queries.rows, items)
        of_rows = items.expand(len(self.plays.starts) - 1, -1)
        if self.output is not None:
            hits = self.plays.find_by_row(self.queries, of_rows)
            self.output.set_played_(scores, hidden, self.network, self.plays, hits)
        if self.head is None:
            return scores
        return scores + self.head.candidates(self.plays, self.queries, of_rows, by_row=True)

    def _of_new(self, hidden: Tensor) -> Tensor:
        return hidden if self.output is None else self.output.layer.new(hidden)
