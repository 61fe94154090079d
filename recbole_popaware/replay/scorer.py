"""The scores of the replay model: the faded count, corrected by what the record, the order and others say.

Of an item that was played: the logarithm of its faded count, plus a term each for its record, the order and
the spread (small networks over their features and the listener's habits that give 0 at the start: the model
*is* the faded count then). With the record goes one learned value of the item itself, which counts little
where everybody together has few plays of it.

Of an item never played: ``sum_k beta_k ln(1 + x_k / eps_k)`` over the sums x_k that spread to it, a linear
function of what everybody's plays say about it, both with weights that depend on the listener, a small
network over the latter, and a constant of the listener that says how likely the next play is new.

``docs/glossary.md`` lists the shape letters; Q moments, D pairs, S sums, I features of an item, U habits of a
user.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from recbole_popaware.replay.examples import Examples, Played
from recbole_popaware.replay.features import Features
from recbole_popaware.replay.item_counts import ITEM_FEATURES
from recbole_popaware.replay.network import NetworkTerm, View
from recbole_popaware.replay.term import Standardise, Term

TERMS = ("record", "order", "spread")


class ReplayScorer(nn.Module):
    """Scores from features; see the module's docstring.

    Args:
        n_items: Size of the catalogue with the padding id 0.
        widths: Number of features of each of :data:`TERMS`; the others are switched off.
        n_user: U.
        n_sums: S.
        hidden: Width inside the terms.
        dropout: Dropout inside the terms.
        network: H, the size of a network's states; 0: there is none.
    """

    def __init__(
        self,
        n_items: int,
        widths: dict[str, int],
        n_user: int,
        n_sums: int,
        hidden: int = 16,
        dropout: float = 0.3,
        network: int = 0,
    ) -> None:
        super().__init__()
        self.of_user = Standardise(n_user)
        self.scales = nn.ModuleDict({name: Standardise(width) for name, width in widths.items()})
        self.terms = nn.ModuleDict(
            {name: Term(width + n_user, hidden, dropout) for name, width in widths.items()}
        )
        self.values = nn.Parameter(torch.zeros(n_items)) if "record" in widths else None
        self.log_scale = nn.Parameter(torch.zeros(n_sums))  # 1 / eps
        self.start = nn.Parameter(torch.full((n_sums,), -1.0))  # before softplus
        self.of_item = Standardise(ITEM_FEATURES)
        self.item = Term(ITEM_FEATURES, hidden, dropout)
        self.weights = Term(n_user, hidden, dropout, n_sums + ITEM_FEATURES)
        self.constant = nn.Parameter(torch.tensor(-8.0))
        self.gate = Term(n_user, hidden, dropout)
        self.network = NetworkTerm(network, n_user, hidden, dropout) if network else None

    @torch.no_grad()
    def fit_scales(self, examples: Examples) -> None:
        """Take the scales of features, and the first constants, from examples."""
        self.of_user.fit(examples.user)
        self.of_item.fit(examples.new.catalogue.flatten(0, 1))
        for name, scale in self.scales.items():
            cast("Standardise", scale).fit(getattr(examples.played, name))
        reached = examples.new.sums.flatten(0, 1)
        mean = reached.sum(0) / (reached > 0).sum(0).clamp(min=1)
        self.log_scale.copy_(-(mean.clamp(min=1e-6)).log())
        self.constant.add_(self._odds(examples))

    def _odds(self, examples: Examples) -> Tensor:
        """How far the mean logarithm of the odds of a new play is from that of the targets."""
        played, new = self.both(examples)
        log_odds = torch.logsumexp(new, 1) - log_sum_exp(played, examples.rows, len(examples.user))
        n_new, n_played = examples.new.hit.sum(), examples.played.hit.sum()
        return torch.log((n_new + 1) / (n_played + 1)) - _mean(log_odds, log_odds.isfinite())

    def both(self, examples: Examples, view: View | None = None) -> tuple[Tensor, Tensor]:
        """Scores of the played items ``[D]`` and of the new candidates ``[Q, C]``."""
        played = _total(self.played(examples.user, examples.rows, examples.played, view))
        new = self.new(examples.user, examples.new.sums, examples.new.catalogue)
        if view is not None and self.network is not None:
            new = new + self.network.new(view, self.of_user(examples.user), examples.new.items)
        return played, new.masked_fill(~examples.new.there, -torch.inf)

    def played(
        self, user: Tensor, rows: Tensor, features: Played | Features, view: View | None = None
    ) -> dict[str, Tensor]:
        """What each term gives to items that were played.

        Args:
            user: ``[Q, U]`` habits.
            rows: ``[D]`` moment of each pair.
            features: Features of the pairs.
            view: What a network sees.

        Returns:
            ``[D]`` scores by the name of the term; ``count`` is the faded count's.
        """
        of_user = self.of_user(user)
        habits, scores = of_user[rows], {"count": features.faded}
        for name, term in self.terms.items():
            x = self.scales[name](getattr(features, name))
            scores[name] = term(torch.cat([x, habits], 1)).squeeze(1)
        if self.values is not None:
            scores["record"] = scores["record"] + features.known * self.values[features.items]
        if view is not None and self.network is not None:
            scores["network"] = self.network.played(view, of_user, rows, features.items)
        return scores

    def new(self, user: Tensor, sums: Tensor, catalogue: Tensor) -> Tensor:
        """Scores of items that were not played.

        Args:
            user: ``[Q, U]`` habits.
            sums: ``[Q, C, S]`` what each gets from the history.
            catalogue: ``[Q, C, I]`` what everybody's plays say about each.

        Returns:
            ``[Q, C]``.
        """
        weights, of_items, constant = self._of_listener(user)
        reached = torch.log1p(sums * self.log_scale.exp())
        items = self.of_item(catalogue)
        scores = (reached @ weights.unsqueeze(2)).squeeze(2) + (items @ of_items.unsqueeze(2)).squeeze(2)
        return scores + self.item(items).squeeze(2) + constant

    def _of_listener(self, user: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights ``[Q, S]`` of sums and ``[Q, I]`` of items, and the constant ``[Q, 1]`` of new items."""
        habits = self.of_user(user)
        of_sums, of_items = self.weights(habits).split([len(self.start), ITEM_FEATURES], 1)
        return functional.softplus(self.start + of_sums), of_items, self.constant + self.gate(habits)

    def catalogue(self, features: Features, catalogue: Tensor, view: View | None = None) -> Tensor:
        """Scores of all items ``[Q, n_items]``; the padding id has minus infinity.

        Args:
            features: Features of Q moments.
            catalogue: ``[n_items, I]`` what everybody's plays say about each item.
            view: What a network sees.
        """
        weights, of_items, constant = self._of_listener(features.user)
        items = self.of_item(catalogue)
        scores = of_items @ items.T + self.item(items).squeeze(1) + constant
        for index, sums in enumerate(features.sums):
            scores.addcmul_(weights[:, index : index + 1], torch.log1p(sums * self.log_scale[index].exp()))
        if view is not None and self.network is not None:
            scores += self.network.new(view, self.of_user(features.user))
        own = _total(self.played(features.user, features.records.rows, features, view))
        scores.view(-1)[features.records.keys] = own
        scores[:, 0] = -torch.inf
        return scores

    def terms_of(self, features: Features, catalogue: Tensor, view: View | None = None) -> dict[str, Tensor]:
        """What each term gives to all items, ``[Q, n_items]``; their sum is the score.

        Items never played have their whole score in ``new``, and played ones have theirs in the other terms.
        """
        new = self.catalogue(features, catalogue, view)
        keys = features.records.keys
        new.view(-1)[keys] = 0
        terms = {}
        for name, values in self.played(features.user, features.records.rows, features, view).items():
            terms[name] = torch.zeros_like(new)
            terms[name].view(-1)[keys] = values
        if view is not None and self.network is not None:
            of_network = self.network.new(view, self.of_user(features.user))
            of_network.view(-1)[keys] = 0
            of_network[:, 0] = 0
            new -= of_network
            terms["network"] += of_network
        return {**terms, "new": new}


def log_sum_exp(scores: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """``ln sum exp`` of scores ``[D]`` over the pairs of each of ``n_rows`` rows, ``-inf`` without any."""
    most = torch.full((n_rows,), -torch.inf, device=scores.device)
    most = most.scatter_reduce(0, rows, scores.detach(), "amax")
    sums = scores.new_zeros(n_rows).index_add(0, rows, (scores - most[rows]).exp())
    return most + sums.log()


def replay_loss(examples: Examples, played: Tensor, new: Tensor) -> Tensor:
    """Cross-entropy of each moment's targets among its candidates, in three parts that weigh alike.

    A softmax over all candidates factors into whether a play is new, which of the played items it is, and
    which of the others; each part is a mean over the moments that have such targets.

    Args:
        examples: Q moments.
        played: ``[D]`` scores of played items.
        new: ``[Q, C]`` scores of new candidates; minus infinity where there is none.
    """
    rows, n, hit = examples.rows, len(examples.user), examples.played.hit
    all_played, there = log_sum_exp(played, rows, n), new.isfinite().any(1)
    all_new = torch.logsumexp(new.masked_fill(~there.unsqueeze(1), 0.0), 1).masked_fill(~there, -torch.inf)
    n_played = played.new_zeros(n).index_add(0, rows, hit)
    n_new = examples.new.hit.sum(1)
    of_played = played.new_zeros(n).index_add(0, rows, (all_played[rows] - played) * hit)
    of_new = (all_new.unsqueeze(1) - new).where(examples.new.hit > 0, 0.0).sum(1)
    share = n_new / (n_played + n_new).clamp(min=1)
    open_question = (n_played + n_new > 0) & all_new.isfinite()
    odds = (all_new - all_played).where(open_question, 0.0)
    which = functional.binary_cross_entropy_with_logits(odds, share, reduction="none")
    return (
        _mean(of_played / n_played.clamp(min=1), n_played > 0)
        + _mean(of_new / n_new.clamp(min=1), n_new > 0)
        + _mean(which, open_question)
    )


def _total(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum(0)


def _mean(values: Tensor, of: Tensor) -> Tensor:
    return values.where(of, 0.0).sum() / of.sum().clamp(min=1)
