"""Personalised popularity alone, without a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_popaware.errors import UsageError
from recbole_popaware.model.sequential_recommender.mostpop import MostPop
from recbole_popaware.plays.history import PlayHistory


class PersonalizedMostPop(MostPop):
    """A user's own items by their plays, then the globally popular ones; nothing is learned.

    Items with equal counts are ordered by their latest play, newest first, then by global popularity; or,
    with ``equal_counts: oldest``, by their first play in the history, oldest first (the published program of
    arXiv 2409.04329). Scores are ranks in that order, exact in float32: only their order means something. The
    history is everything the user played before the row's target, or its last ``history_window`` plays (the
    paper: 50). Without ``popular_rest`` all other items get -inf: they are not recommended (the paper).
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        if dataset.history is None:
            raise UsageError(
                "PersonalizedMostPop needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; give it one .inter file"
            )
        self.history: PlayHistory = dataset.history
        self.END = config["HISTORY_END_FIELD"]
        self.history_window: int | None = config["history_window"]
        self.oldest_first: bool = config["equal_counts"] == "oldest"
        self.popular_rest: bool = config["popular_rest"]

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``: below 1 by global popularity, from 1 on the user's own."""
        popularity = popularity_ranks(self.item_plays)
        scores = (popularity / self.n_items).repeat(len(interaction), 1)
        if not self.popular_rest:
            scores.fill_(-torch.inf)
        self.history = self.history.to(popularity.device)  # moves it once only
        users, ends = interaction[self.USER_ID], interaction[self.END]
        counts = self.history.counts(users, ends, self.n_items, self.history_window)
        preference = -counts.oldest if self.oldest_first else self.history.recency[counts.newest]
        rows, items = counts.rows, counts.items
        scores[rows, items] = 1.0 + ranks_within_rows(rows, counts.plays, preference, popularity[items])
        return scores


def popularity_ranks(item_plays: Tensor) -> Tensor:
    """Rank of each item from the least popular (0) to the most; ties by item id, smaller ids ahead."""
    order = torch.argsort(item_plays, descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order) - 1, -1, -1, device=order.device)
    return ranks


def ranks_within_rows(rows: Tensor, *by: Tensor) -> Tensor:
    """Rank of each entry in its row, 0 for the least, ordered by the first of ``by``, then the next.

    Args:
        rows: ``[E]`` row numbers in ascending order.
        by: Sort keys ``[E]``, the most important first.

    Returns:
        ``[E]`` ranks.
    """
    order = torch.arange(len(rows), device=rows.device)
    for key in (*reversed(by), rows):
        order = order[torch.argsort(key[order], stable=True)]
    ranks = torch.empty_like(order)
    # Rows are sorted, so each keeps its range of indices.
    ranks[order] = torch.arange(len(rows), device=rows.device) - torch.searchsorted(rows, rows)
    return ranks
