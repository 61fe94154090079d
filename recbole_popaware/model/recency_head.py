"""Personalised popularity with a memory that fades, and whose strength is learned.

The count of item j becomes ``s_j``, the sum over its plays of ``age ** -d`` (the base-level activation of
ACT-R; Anderson and Schooler 1991), and the score is ``alpha`` times that of the paper:
``alpha * ln(eps + s_j)`` up to a constant per history. Age is in plays, 1 for the newest play, or in hours
before the newest play, plus 1. With ``d = 0`` and ``alpha = 1`` it is the head of the paper.

An offset ``c`` flattens the memory of the newest plays: a play weighs ``((age + c) / (1 + c)) ** -d``, so
that ages well below c count about alike, 1 for the newest, and those well above fade as before.

In the sigmoid form a learned ``b`` is added to all scores. Losses over few drawn items see a target far more
often than the catalogue of N would show it, so the head's probabilities are too low for them by a constant.
``calibrated_start`` adds the one that fits the head as it starts (:func:`~.losses.calibration_level`); b is
what learning changes about it. Without both the network makes up for it, at the cost of the order. A softmax
sees neither.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from recbole_popaware.model.popularity_head import PopularityHead
from recbole_popaware.plays.play_index import Hits, PlayIndex, Queries

LEARNABLE = ("alpha", "eps", "d", "c", "b")
DEFAULT_DECAY = 0.3  # where d is learned and has no start: about where it settles on real plays
DEFAULT_OFFSET = 10.0  # where c is learned and has no start


def faded(ages: Tensor, decay: Tensor | float, offset: Tensor | float) -> Tensor:
    """Weight of plays of some age, ``((age + c) / (1 + c)) ** -d``; ages are at least 1."""
    return ((ages.to(torch.get_default_dtype()) + offset) / (1 + offset)) ** -decay


class RecencyHead(PopularityHead):
    """The popularity head with decay and weight; differs from its base in what its module docstring says.

    Learned values are kept positive, alpha, eps and c as exponentials, d as a softplus; b may be any number.

    Args:
        n_items: Size of the catalogue with the padding id 0.
        form: ``softmax`` or ``sigmoid``.
        epsilon: eps at the start, > 0.
        decay: d at the start, >= 0; > 0 if it is learned.
        offset: c at the start, >= 0; > 0 if it is learned. In units of the age.
        learn: Which of :data:`LEARNABLE` are learned.

    Raises:
        ValueError: If a value is not one of the above.
    """

    def __init__(
        self,
        n_items: int,
        form: str,
        epsilon: float,
        decay: float,
        learn: tuple[str, ...] = (),
        offset: float = 0.0,
    ) -> None:
        super().__init__(n_items, form, epsilon)
        if set(learn) - set(LEARNABLE):
            raise ValueError(f"pps_learn {list(learn)} may hold {', '.join(LEARNABLE)}")
        if "b" in learn and form == "softmax":
            raise ValueError(f"pps_learn {list(learn)}: b has no effect in the softmax form; leave it out")
        for name, value, symbol in (("pps_decay", decay, "d"), ("pps_offset", offset, "c")):
            if not (0 <= value < math.inf) or (symbol in learn and value == 0):
                raise ValueError(f"{name} [{value}] must be at least 0, and above 0 to be learned")
        self.start_decay, self.start_offset = decay, offset
        if "alpha" in learn:
            self.log_alpha = nn.Parameter(torch.zeros(()))
        if "eps" in learn:
            self.log_epsilon = nn.Parameter(torch.tensor(math.log(epsilon)))
        if "d" in learn:
            self.raw_decay = nn.Parameter(torch.tensor(math.log(math.expm1(decay))))
        if "b" in learn:
            self.bias = nn.Parameter(torch.zeros(()))
        if "c" in learn:
            self.log_offset = nn.Parameter(torch.tensor(math.log(offset)))

    @property
    def alpha(self) -> Tensor | float:
        """Weight of the scores."""
        return self.log_alpha.exp() if hasattr(self, "log_alpha") else 1.0

    @property
    def decay(self) -> Tensor | float:
        """Decay d."""
        return nn.functional.softplus(self.raw_decay) if hasattr(self, "raw_decay") else self.start_decay

    @property
    def offset(self) -> Tensor | float:
        """Offset c."""
        return self.log_offset.exp() if hasattr(self, "log_offset") else self.start_offset

    @torch.no_grad()
    def values(self) -> dict[str, float]:
        """Alpha, eps, d, c and b as they are now."""
        now = (self.alpha, self._smoothing(), self.decay, self.offset, self._constant())
        return {name: float(value) for name, value in zip(LEARNABLE, now)}

    def extra_repr(self) -> str:
        """Settings to show when the model is printed."""
        return f"{super().extra_repr()}, decay={float(self.decay):.3g}, offset={float(self.offset):.3g}"

    def _scores(self, hits: Hits, plays: PlayIndex, queries: Queries) -> tuple[Tensor, Tensor]:
        unplayed, correction = super()._scores(hits, plays, queries)
        return self.alpha * unplayed + self._constant(), self.alpha * correction

    def _constant(self) -> Tensor | float:
        return self.bias if hasattr(self, "bias") else 0.0

    def _smoothing(self) -> Tensor | float:
        return self.log_epsilon.exp() if hasattr(self, "log_epsilon") else self.epsilon

    def _strength(self, hits: Hits, plays: PlayIndex, queries: Queries) -> Tensor:
        hit, ages = plays.ages(queries, hits)
        weights = faded(ages, self.decay, self.offset)
        return weights.new_zeros(len(hits.query)).index_add(0, hit, weights)

    def _reference(self, plays: PlayIndex, queries: Queries) -> Tensor:
        if self.form == "softmax":
            return super()._reference(plays, queries)  # the same for all items: it only shifts the scores
        if plays.times is None:  # ages are 1 to n
            n = plays.total(queries)
            ages = torch.arange(1, int(n.max()) + 1, device=n.device)
            sums = faded(ages, self.decay, self.offset).cumsum(0)
            return torch.cat([sums.new_zeros(1), sums])[n]
        everything = plays.everything(queries)
        strength = self._strength(everything, plays, queries)
        return strength.new_zeros(len(queries.rows)).index_add(0, everything.query, strength)
