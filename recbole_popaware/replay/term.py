"""The parts that scores are made of: standardised features, and small networks that give 0 at the start."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MOST_APART = 3.0  # deviations from the mean: what is farther, such as an item without statistics, is as far


class Standardise(nn.Module):
    """Features less their mean, over their deviation, as they were in the examples; within limits."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def fit(self, x: Tensor) -> None:
        """Take mean and deviation of features ``[A, width]``."""
        self.mean.copy_(x.mean(0))
        self.scale.copy_(1 / (x.std(0, correction=0) + 1e-2))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised features of the same shape."""
        standardised: Tensor = (x - self.mean) * self.scale
        return standardised.clamp(-MOST_APART, MOST_APART)


class Term(nn.Module):
    """A small network with a linear shortcut that gives 0 at the start.

    Args:
        width: Number of features.
        hidden: Width inside.
        dropout: Dropout inside.
        outputs: Number of outputs.
    """

    def __init__(self, width: int, hidden: int, dropout: float, outputs: int = 1) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            *(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)),
            *(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout)),
        )
        self.last, self.shortcut = nn.Linear(hidden, outputs), nn.Linear(width, outputs)
        for layer in (self.last, self.shortcut):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``[A, outputs]`` of features ``[A, width]``."""
        result: Tensor = self.last(self.inside(x)) + self.shortcut(x)
        return result
