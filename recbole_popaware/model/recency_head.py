"""Personalised popularity with a memory that fades, and whose strength is learned.

In place of the count of item j stands ``s_j``, the sum over its plays of ``age ** -d`` (the base-level
activation of ACT-R; Anderson and Schooler 1991), and the score is ``alpha`` times that of the paper:
``alpha * ln(eps + s_j)`` up to a constant per history. Age is in plays, 1 for the newest play, or in hours
before the newest play, plus 1. With ``d = 0`` and ``alpha = 1`` it is the head of the paper.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from recbole_popaware.model.play_index import Hits, PlayIndex, Queries
from recbole_popaware.model.popularity_head import PopularityHead

LEARNABLE = ("alpha", "eps", "d")
DEFAULT_DECAY = 0.3  # where d is learned and no start is given: about where it settles on real plays


class RecencyHead(PopularityHead):
    """The popularity head with decay and weight; differs from its base in what its module docstring says.

    Learned values are kept positive: alpha and eps as exponentials, d as a softplus.

    Args:
        n_items: Size of the catalogue with the padding id 0.
        form: ``softmax`` or ``sigmoid``.
        epsilon: eps at the start, > 0.
        decay: d at the start, >= 0; > 0 if it is learned.
        learn: Which of :data:`LEARNABLE` are learned.

    Raises:
        ValueError: If a value is not one of the above.
    """

    def __init__(
        self, n_items: int, form: str, epsilon: float, decay: float, learn: tuple[str, ...] = ()
    ) -> None:
        super().__init__(n_items, form, epsilon)
        if set(learn) - set(LEARNABLE):
            raise ValueError(f"pps_learn {list(learn)} may hold {', '.join(LEARNABLE)}")
        if not (0 <= decay < math.inf) or ("d" in learn and decay == 0):
            raise ValueError(f"pps_decay [{decay}] must be at least 0, and above 0 to be learned")
        self.start_decay = decay
        if "alpha" in learn:
            self.log_alpha = nn.Parameter(torch.zeros(()))
        if "eps" in learn:
            self.log_epsilon = nn.Parameter(torch.tensor(math.log(epsilon)))
        if "d" in learn:
            self.raw_decay = nn.Parameter(torch.tensor(math.log(math.expm1(decay))))

    @property
    def alpha(self) -> Tensor | float:
        """Weight of the scores."""
        return self.log_alpha.exp() if hasattr(self, "log_alpha") else 1.0

    @property
    def decay(self) -> Tensor | float:
        """Decay d."""
        return nn.functional.softplus(self.raw_decay) if hasattr(self, "raw_decay") else self.start_decay

    def values(self) -> dict[str, float]:
        """Alpha, eps and d as they are now."""
        return {name: float(v) for name, v in zip(LEARNABLE, (self.alpha, self._smoothing(), self.decay))}

    def extra_repr(self) -> str:
        """Settings to show when the model is printed."""
        return f"{super().extra_repr()}, decay={float(self.decay):.3g}"

    def _scores(self, hits: Hits, plays: PlayIndex, queries: Queries) -> tuple[Tensor, Tensor]:
        unplayed, correction = super()._scores(hits, plays, queries)
        return self.alpha * unplayed, self.alpha * correction

    def _smoothing(self) -> Tensor | float:
        return self.log_epsilon.exp() if hasattr(self, "log_epsilon") else self.epsilon

    def _strength(self, hits: Hits, plays: PlayIndex, queries: Queries) -> Tensor:
        hit, ages = plays.ages(queries, hits)
        weights = ages.to(torch.get_default_dtype()) ** -self.decay
        return weights.new_zeros(len(hits.query)).index_add(0, hit, weights)

    def _reference(self, plays: PlayIndex, queries: Queries) -> Tensor:
        if self.form == "softmax":
            return super()._reference(plays, queries)  # the same for all items: it only shifts the scores
        if plays.times is None:  # ages are 1 to n
            n = plays.total(queries)
            ages = torch.arange(1, int(n.max()) + 1, device=n.device, dtype=torch.get_default_dtype())
            sums = (ages**-self.decay).cumsum(0)
            return torch.cat([sums.new_zeros(1), sums])[n]
        everything = plays.everything(queries)
        strength = self._strength(everything, plays, queries)
        return strength.new_zeros(len(queries.rows)).index_add(0, everything.query, strength)
