"""Personalised popularity scores (PPS): how often a user played each item, as a score to add to a model's.

Source: Abbattista et al., "Enhancing Sequential Music Recommendation with Personalized Popularity
Awareness", RecSys 2024 (arXiv 2409.04329), section 3.

With ``c_j`` the plays of item j in one history, ``n`` their sum, ``eps`` > 0 and N items in the catalogue:

* softmax form, for cross-entropy and BPR: ``y_j = ln((c_j + eps) / max_z(c_z + eps))``
* sigmoid form, for binary cross-entropy: ``p_j = (c_j + eps) / (n + eps * N)``, ``y_j = logit(p_j)``

All items outside the history share one score, so a row of scores is that constant plus one correction
at each distinct item of the history: O(B * L) memory, and no [B, N] count matrix.

Item ids run from 1 to ``n_items - 1`` as in RecBole; 0 is padding. Padding, mask tokens and any other id
outside the catalogue never count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recbole_popaware.plays.play_index import Hits, PlayIndex, Queries

DEFAULT_EPSILON = 0.01


class Form(NamedTuple):
    """A way to make scores of plays.

    Attributes:
        reference: What a history's scores are measured against, ``[T]`` for T queries.
        score: Scores from plays, the reference of their query, eps and the number of other items.
    """

    reference: Callable[[PlayIndex, Queries], Tensor]
    score: Callable[[Tensor, Tensor, Tensor | float, int], Tensor]


def softmax_score(plays: Tensor, most: Tensor, epsilon: Tensor | float, others: int) -> Tensor:
    """``ln((c + eps) / (max_z c_z + eps))``; 0 for the most played item."""
    return torch.log(plays + epsilon) - torch.log(most + epsilon)


def sigmoid_score(plays: Tensor, total: Tensor, epsilon: Tensor | float, others: int) -> Tensor:
    """``logit((c + eps) / (n + eps * N))``.

    Written as ``ln(c + eps) - ln((n - c) + eps * (N - 1))``, which stays finite where all plays are of
    one item.
    """
    return torch.log(plays + epsilon) - torch.log((total - plays) + epsilon * others)


FORMS = {
    "softmax": Form(PlayIndex.most, softmax_score),
    "sigmoid": Form(PlayIndex.total, sigmoid_score),
}


class PopularityHead(nn.Module):
    """Personalised popularity scores as a module without parameters or buffers.

    Args:
        n_items: Size of the catalogue with the padding id 0; the sigmoid form needs two items, so 3.
        form: ``softmax`` or ``sigmoid``.
        epsilon: Smoothing of the counts, > 0 (paper: 0.01).

    Raises:
        ValueError: If a value is not one of the above.
    """

    def __init__(self, n_items: int, form: str = "softmax", epsilon: float = DEFAULT_EPSILON) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"popularity head [{form}] is not one of {', '.join(FORMS)}")
        if not (0 < epsilon < math.inf):
            raise ValueError(f"pps_epsilon [{epsilon}] must be a number above 0")
        if n_items < 3:
            raise ValueError(f"a catalogue of {n_items - 1} items leaves nothing to rank")
        self.n_items = n_items
        self.form = form
        self.epsilon = epsilon

    def forward(self, history: Tensor) -> Tensor:
        """Scores of all items.

        Args:
            history: ``[B, L]`` item ids.

        Returns:
            ``[B, n_items]``; column 0 (padding) is the score of an item never played.
        """
        plays = PlayIndex.of_windows(history, self.n_items)
        scores = torch.zeros(len(history), self.n_items, device=history.device)
        return self.add_to_(scores, plays, plays.at_ends())

    def candidates(
        self, plays: PlayIndex, queries: Queries, candidates: Tensor, by_row: bool = False
    ) -> Tensor:
        """Scores of chosen items only.

        Args:
            plays: Histories.
            queries: T points in them.
            candidates: ``[T, K]`` item ids, or ``[R, K]`` those of each history.
            by_row: Whether they are those of each history.

        Returns:
            ``[T, K]`` scores.
        """
        hits = (plays.find_by_row if by_row else plays.find)(queries, candidates)
        unplayed, correction = self._scores(hits, plays, queries)
        scores = unplayed.unsqueeze(1).repeat(1, candidates.size(1))
        return _add_at_(scores, hits.at, correction)

    def add_to_(self, scores: Tensor, plays: PlayIndex, queries: Queries) -> Tensor:
        """Add the scores of all items to a model's, in place and without a second tensor of that size.

        Args:
            scores: ``[T, n_items]``; its values must not be needed by the backward pass that
                made it (true of sums and matrix products).
            plays: Histories.
            queries: T points in them.

        Returns:
            ``scores`` itself.
        """
        unplayed, at, correction = self.sparse(plays, queries)
        return _add_at_(scores.add_(unplayed.to(scores.dtype).unsqueeze(1)), at, correction.to(scores.dtype))

    def sparse(self, plays: PlayIndex, queries: Queries) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of all items without a tensor of that size.

        Args:
            plays: Histories.
            queries: T points in them.

        Returns:
            Score of items never played ``[T]``; flat indices ``[E]`` in ``[T, n_items]`` of the others, and
            how far each of them is above it ``[E]``.
        """
        hits = plays.everything(queries)
        unplayed, correction = self._scores(hits, plays, queries)
        return unplayed, hits.at, correction

    def extra_repr(self) -> str:
        """Settings to show when the model is printed."""
        return f"form={self.form}, epsilon={self.epsilon}, n_items={self.n_items}"

    def _scores(self, hits: Hits, plays: PlayIndex, queries: Queries) -> tuple[Tensor, Tensor]:
        """Score of items never played ``[T]``, and how far each hit is above it ``[E]``."""
        score, epsilon, others = FORMS[self.form].score, self._smoothing(), self.n_items - 2
        reference = self._reference(plays, queries)
        unplayed = score(torch.zeros_like(reference), reference, epsilon, others)
        played = score(self._strength(hits, plays, queries), reference[hits.query], epsilon, others)
        return unplayed, played - unplayed[hits.query]

    def _smoothing(self) -> Tensor | float:
        """Eps."""
        return self.epsilon

    def _strength(self, hits: Hits, plays: PlayIndex, queries: Queries) -> Tensor:
        """The c of the formulas, ``[E]``."""
        return hits.plays.to(torch.get_default_dtype())

    def _reference(self, plays: PlayIndex, queries: Queries) -> Tensor:
        """The greatest c of each history, or n, ``[T]``."""
        return FORMS[self.form].reference(plays, queries).to(torch.get_default_dtype())


def _add_at_(scores: Tensor, at: Tensor, values: Tensor) -> Tensor:
    """Add values at flat indices of ``[T, K]`` scores, in place.

    Not through a flat view: the backward pass of a change to a view copies the whole gradient.
    """
    width = scores.size(1)
    return scores.index_put_((at // width, at % width), values, accumulate=True)
