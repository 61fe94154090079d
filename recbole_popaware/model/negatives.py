"""Negative items, drawn on the model's device."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

DISTRIBUTIONS = ("uniform", "log_uniform")


class Negatives(NamedTuple):
    """Drawn items.

    Attributes:
        items: ``[R, K]`` a draw for each of R targets, windows or batches.
        log_expected: ``ln`` of how often each is expected among K draws, broadcasts to ``items``.
    """

    items: Tensor
    log_expected: Tensor

    def of_rows(self, rows: Tensor) -> Negatives:
        """The draws ``[T, K]`` that rows ``[T]`` refer to."""
        shared = self.log_expected.dim() == 0
        return Negatives(self.items[rows], self.log_expected if shared else self.log_expected[rows])


class NegativeSampler(nn.Module):
    """Draw items with replacement, uniformly or by popularity.

    ``log_uniform`` draws the item of popularity rank r = 0, 1, ... with probability
    ``ln((r + 2) / (r + 1)) / ln(N + 1)``, which is close to how plays fall on items (Zipf's law).

    Args:
        item_plays: ``[n_items]`` plays of each item, index 0 is padding; only their order counts.
        n_negatives: K.
        distribution: One of :data:`DISTRIBUTIONS`.
    """

    by_popularity: Tensor
    log_expected: Tensor

    def __init__(self, item_plays: Tensor, n_negatives: int, distribution: str = "uniform") -> None:
        super().__init__()
        self.n_items = len(item_plays) - 1
        self.n_negatives = n_negatives
        self.distribution = distribution
        by_popularity = torch.argsort(item_plays[1:], descending=True, stable=True) + 1
        self.register_buffer("by_popularity", by_popularity, persistent=False)
        self.register_buffer("log_expected", self._log_expected(), persistent=False)

    def forward(self, n_draws: int) -> Negatives:
        """Draw K items, that many times."""
        shape = (n_draws, self.n_negatives)
        device = self.by_popularity.device
        if self.distribution == "uniform":
            items = torch.randint(1, self.n_items + 1, shape, device=device)
        else:
            scale = math.log(self.n_items + 1)
            drawn = torch.rand(shape, dtype=torch.float64, device=device)  # float32 misses ranks from 1e6 on
            ranks = torch.exp(drawn * scale).long()
            items = self.by_popularity[ranks.sub_(1).clamp_(0, self.n_items - 1)]
        return Negatives(items, self.log_expected_of(items))

    def log_expected_of(self, items: Tensor) -> Tensor:
        """``ln`` of how often each item is expected among K draws, broadcasts to ``items``."""
        return self.log_expected if self.distribution == "uniform" else self.log_expected[items]

    def _log_expected(self) -> Tensor:
        """One number if uniform, or ``[n_items]``."""
        if self.distribution == "uniform":
            return torch.tensor(math.log(self.n_negatives / self.n_items))
        of_rank = torch.log1p(1 / torch.arange(1.0, self.n_items + 1)) / math.log(self.n_items + 1)
        table = torch.zeros(self.n_items + 1)
        table[self.by_popularity] = torch.log(of_rank * self.n_negatives)
        return table

    def extra_repr(self) -> str:
        """Settings to show when the model is printed."""
        return f"{self.n_negatives} of {self.n_items} items, {self.distribution}"
