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
from typing import Callable, NamedTuple

import torch
from torch import Tensor, nn

DEFAULT_EPSILON = 0.01


class PlayCounts(NamedTuple):
    """The plays of a batch of histories, counted.

    Attributes:
        items: ``[B, L]`` the histories in ascending order of item id, ignored places first as 0.
        counts: ``[B, L]`` plays of the item, at the first place it stands in the row; 0 elsewhere.
    """

    items: Tensor
    counts: Tensor

    @property
    def total(self) -> Tensor:
        """Plays in each history, ``[B, 1]``."""
        return self.counts.sum(dim=-1, keepdim=True)

    @property
    def most(self) -> Tensor:
        """Plays of the most played item of each history, ``[B, 1]``."""
        return self.counts.amax(dim=-1, keepdim=True)


def count_plays(history: Tensor, n_items: int) -> PlayCounts:
    """Count how often each item stands in each history, by sorting.

    Args:
        history: ``[B, L]`` item ids, in any order, L >= 1.
        n_items: Size of the catalogue with the padding id 0.
    """
    in_catalogue = (history > 0) & (history < n_items)
    items = history.where(in_catalogue, 0).sort(dim=-1).values
    first = torch.searchsorted(items, items)
    plays = torch.searchsorted(items, items, right=True) - first
    place = torch.arange(items.size(-1), device=items.device)
    counted = (first == place) & (items > 0)
    return PlayCounts(items, plays.where(counted, 0).to(torch.get_default_dtype()))


def look_up(plays: PlayCounts, candidates: Tensor) -> Tensor:
    """Plays of each candidate in its row's history.

    Args:
        plays: Counted histories, B rows.
        candidates: ``[B, K]`` item ids; padding and unknown ids have 0 plays.

    Returns:
        ``[B, K]`` counts.
    """
    candidates = candidates.contiguous()
    first = torch.searchsorted(plays.items, candidates)
    counts = torch.searchsorted(plays.items, candidates, right=True) - first
    return counts.where(candidates > 0, 0).to(plays.counts.dtype)


def softmax_form(counts: Tensor, plays: PlayCounts, n_items: int, epsilon: float) -> Tensor:
    """``ln((c + eps) / (max_z c_z + eps))`` for counts ``[B, K]``; 0 for the most played item."""
    return torch.log(counts + epsilon) - torch.log(plays.most + epsilon)


def sigmoid_form(counts: Tensor, plays: PlayCounts, n_items: int, epsilon: float) -> Tensor:
    """``logit((c + eps) / (n + eps * N))`` for counts ``[B, K]``.

    Written as ``ln(c + eps) - ln((n - c) + eps * (N - 1))``, which stays finite where all plays are of
    one item.
    """
    others = (plays.total - counts) + epsilon * (n_items - 2)
    return torch.log(counts + epsilon) - torch.log(others)


FORMS: dict[str, Callable[[Tensor, PlayCounts, int, float], Tensor]] = {
    "softmax": softmax_form,
    "sigmoid": sigmoid_form,
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
            ``[B, n_items]``; column 0 (padding) holds the score of an item never played.
        """
        scores = history.new_zeros(history.size(0), self.n_items, dtype=torch.get_default_dtype())
        return self.add_to_(scores, history)

    def candidates(self, history: Tensor, candidates: Tensor) -> Tensor:
        """Scores of chosen items only.

        Args:
            history: ``[B, L]`` item ids.
            candidates: ``[B, K]`` item ids.

        Returns:
            ``[B, K]`` scores.
        """
        plays = count_plays(history, self.n_items)
        return self._score(look_up(plays, candidates), plays)

    def add_to_(self, scores: Tensor, history: Tensor) -> Tensor:
        """Add the scores of all items to a model's, in place and without a second tensor of that size.

        The correction stands at the first occurrence of an item only, so that ``scatter_add_`` gives
        the right sum and leaves the gradient of ``scores`` as it was.

        Args:
            scores: ``[B, n_items]``, or ``[B, M, n_items]`` for M places that share a history; its
                values must not be needed by the backward pass that made it (true of sums and matrix
                products).
            history: ``[B, L]`` item ids.

        Returns:
            ``scores`` itself.
        """
        plays = count_plays(history, self.n_items)
        unplayed = self._score(torch.zeros_like(plays.counts[:, :1]), plays)
        correction = (self._score(plays.counts, plays) - unplayed).where(plays.counts > 0, 0)
        unplayed, correction = unplayed.to(scores.dtype), correction.to(scores.dtype)
        items = plays.items
        if scores.dim() == 3:
            unplayed, correction = unplayed.unsqueeze(1), correction.unsqueeze(1)
            items = items.unsqueeze(1).expand(-1, scores.size(1), -1)
            correction = correction.expand(-1, scores.size(1), -1)
        return scores.add_(unplayed).scatter_add_(-1, items, correction)

    def extra_repr(self) -> str:
        """Settings to show when the model is printed."""
        return f"form={self.form}, epsilon={self.epsilon}, n_items={self.n_items}"

    def _score(self, counts: Tensor, plays: PlayCounts) -> Tensor:
        return FORMS[self.form](counts, plays, self.n_items, self.epsilon)
