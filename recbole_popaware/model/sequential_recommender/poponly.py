"""Popularity only: everything that a listener's plays say about every item, without a Transformer."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor

from recbole_popaware.errors import UsageError
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.replay.examples import Examples, concatenate, make_examples
from recbole_popaware.replay.features import Fade, Features, features_at
from recbole_popaware.replay.moments import Moments
from recbole_popaware.replay.order import ORDER_FEATURES
from recbole_popaware.replay.record import RECORD_FEATURES, USER_FEATURES
from recbole_popaware.replay.requests import Requests
from recbole_popaware.replay.scorer import ReplayScorer, replay_loss
from recbole_popaware.replay.spread import Together

_SCORES_AT_ONCE = 1 << 25  # floats of the sums over the catalogue


class PopOnly(SequentialRecommender):
    """Faded counts, corrected by the record and the order of plays, and spreading to what is new.

    It trains in seconds, and is what a network has to beat. Scores are those of
    :class:`~recbole_popaware.replay.scorer.ReplayScorer`. Weights are learned at moments in the past, each on
    the plays after it, with statistics of the plays before it; lists are made with statistics of the whole
    training part. Neither is kept in checkpoints: both are made anew from the data.

    The moment of a list is the border under GTS, and the newest play of the log for new lists; under
    leave-one-out it is the user's newest play (``replay_now: last_play``), or that of the target.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        if dataset.history is None:
            raise UsageError(
                "PopOnly needs whole histories, which files split beforehand (benchmark_filename) do not "
                "hold; give it one .inter file"
            )
        self.history: PlayHistory = dataset.history
        self.END, self.NOW = config["HISTORY_END_FIELD"], config["REQUEST_TIME_FIELD"]
        self.EXAMPLE = config["EXAMPLE_FIELD"]
        self.fade = Fade(config["pps_decay"], config["pps_offset"])
        self.now_of_target: bool = config["replay_now"] == "target"
        self.fields, self.n_neighbours = dataset.item_groups(), config["replay_neighbours"]
        self.together = self._statistics(dataset.trained_plays())
        self.requests: list[Requests] = getattr(dataset, "requests", [])
        self._examples: Examples | None = None
        widths = {"record": RECORD_FEATURES, "order": ORDER_FEATURES, "spread": self.together.n_sums}
        self.scorer = ReplayScorer(
            {term: widths[term] for term in config["replay_terms"]},
            USER_FEATURES,
            self.together.n_sums,
            config["replay_hidden"],
            config["replay_dropout"],
        )
        self.register_buffer("scaled", torch.tensor(False))  # whether the scales of features are known

    @property
    def examples(self) -> Examples:
        """What is learned from; made when it is asked for first."""
        if self._examples is None:
            parts = [
                make_examples(part, self.history, self._statistics(part.known), self.fade, self.n_items)
                for part in self.requests
                if len(part.moments.users)
            ]
            if not parts:
                raise UsageError("PopOnly finds no moment to learn from: the training part is too short")
            self._examples = concatenate(parts)
        return self._examples

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Cross-entropy of what was played after some moments."""
        examples = self.examples
        if not self.scaled:
            self.scorer.cpu().fit_scales(examples)
            self.scorer.to(self.device)
            self.scaled.fill_(True)
        batch = examples.at(interaction[self.EXAMPLE].cpu()).to(self.device)
        return replay_loss(batch, *self.scorer.both(batch))

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return self.full_sort_predict(interaction).gather(1, items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        scores = [self.scorer.catalogue(part, self._plays) for part in self._features(interaction)]
        return torch.cat(scores)

    def term_scores(self, interaction: Any) -> dict[str, Tensor]:
        """What each term gives to all items, ``[B, n_items]`` each; their sum is the score."""
        parts = [self.scorer.terms_of(part, self._plays) for part in self._features(interaction)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    @property
    def _plays(self) -> Tensor:
        return self.together.counts.plays.to(self.device)

    def _features(self, interaction: Any) -> list[Features]:
        """Features of the rows, some at a time."""
        moments = self._moments(interaction)
        size = max(1, _SCORES_AT_ONCE // (self.n_items * self.together.n_sums))
        return [
            features_at(part, self.history, self.together, self.fade, self.n_items).to(self.device)
            for part in (moments.at(slice(at, at + size)) for at in range(0, len(moments.users), size))
        ]

    def _moments(self, interaction: Any) -> Moments:
        users, ends = interaction[self.USER_ID].cpu(), interaction[self.END].cpu()
        if self.NOW in interaction:
            return Moments(users, ends, interaction[self.NOW].cpu())
        return Moments(users, ends, self.history.timed()[ends if self.now_of_target else ends - 1])

    def _statistics(self, known: Tensor) -> Together:
        users = torch.repeat_interleave(
            torch.arange(len(self.history.starts) - 1), self.history.starts.diff()
        )
        items = self.history.items[known]
        return Together.of(users[known], items, self.n_items, self.n_neighbours, self.fields)
