"""The replay head: scores of all items from everything that a listener's plays say, and from a network.

Its weights are learned at moments in the past, each on the plays after it, with statistics of the plays
before it; lists are made with statistics of the whole training part. Statistics are not kept in checkpoints:
they are made anew from the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from recbole_popaware.errors import UsageError
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.replay.examples import Examples, concatenate, make_examples
from recbole_popaware.replay.features import Fade, Features, features_at
from recbole_popaware.replay.moments import Moments
from recbole_popaware.replay.network import View
from recbole_popaware.replay.order import ORDER_FEATURES
from recbole_popaware.replay.record import RECORD_FEATURES, USER_FEATURES
from recbole_popaware.replay.requests import Requests
from recbole_popaware.replay.scorer import ReplayScorer, replay_loss
from recbole_popaware.replay.spread import Together

_SUMS_AT_ONCE = 1 << 25  # floats of what spreads over the catalogue
_DECAY, _OFFSET = 1.3, 20.0  # of the faded count, where the properties say nothing


class ReplayHead(nn.Module):
    """Scores of :class:`~recbole_popaware.replay.scorer.ReplayScorer` for rows of RecBole's fields.

    The moment of a list is the border under GTS, and the newest play of the log for new lists; under
    leave-one-out it is the user's newest play (``replay_now: last_play``), or that of the target.

    Args:
        config: The properties ``replay_*``, ``pps_decay`` and ``pps_offset``.
        dataset: The training part.
        network: H, the size of a network's states; 0: there is none.

    Raises:
        UsageError: If the data set has no whole histories.
    """

    def __init__(self, config: Any, dataset: Any, network: int = 0) -> None:
        super().__init__()
        if dataset.history is None:
            raise UsageError(
                f"{config['model']} as it is set up needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; give it one .inter file"
            )
        self.history: PlayHistory = dataset.history
        self.n_items: int = dataset.item_num
        self.user_field, self.end_field = config["USER_ID_FIELD"], config["HISTORY_END_FIELD"]
        self.now_field = config["REQUEST_TIME_FIELD"]
        decay, offset = config["pps_decay"], config["pps_offset"]
        self.fade = Fade(_DECAY if decay is None else decay, _OFFSET if offset is None else offset)
        self.now_of_target: bool = config["replay_now"] == "target"
        self.fields, self.n_neighbours = dataset.item_groups(), config["replay_neighbours"]
        self.together = self._statistics(dataset.trained_plays())
        self.requests: list[Requests] = getattr(dataset, "requests", [])
        self._examples: Examples | None = None
        widths = {"record": RECORD_FEATURES, "order": ORDER_FEATURES, "spread": self.together.n_sums}
        self.scorer = ReplayScorer(
            self.n_items,
            {term: widths[term] for term in config["replay_terms"]},
            USER_FEATURES,
            self.together.n_sums,
            config["replay_hidden"],
            config["replay_dropout"],
            network,
        )
        self.scaled: Tensor
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
                raise UsageError("there is no moment to learn from: the training part is too short")
            self._examples = concatenate(parts)
        return self._examples

    def loss(self, index: Tensor, view: View | None = None) -> Tensor:
        """Cross-entropy of what was played after some moments.

        Args:
            index: ``[Q]`` numbers of the requests.
            view: What a network sees at them.
        """
        examples = self.examples
        device = self.scaled.device
        if not self.scaled:
            self.scorer.cpu().fit_scales(examples)
            self.scorer.to(device)
            self.scaled.fill_(True)
        batch = examples.at(index.cpu()).to(device)
        return replay_loss(batch, *self.scorer.both(batch, view))

    def scores(self, interaction: Any, view: View | None = None) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        catalogue = self._catalogue()
        parts = self._features(interaction, view)
        return torch.cat([self.scorer.catalogue(features, catalogue, seen) for features, seen in parts])

    def terms(self, interaction: Any, view: View | None = None) -> dict[str, Tensor]:
        """What each term gives to all items, ``[B, n_items]`` each; their sum is the score."""
        catalogue = self._catalogue()
        parts = [
            self.scorer.terms_of(features, catalogue, seen)
            for features, seen in self._features(interaction, view)
        ]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def replace_history(self, history: PlayHistory) -> None:
        """Score other histories from now on; statistics stay those of the training part."""
        self.history = history

    def _catalogue(self) -> Tensor:
        return self.together.counts.features.to(self.scaled.device)

    def _features(self, interaction: Any, view: View | None) -> Iterator[tuple[Features, View | None]]:
        """Features of the rows, some at a time."""
        moments = self._moments(interaction)
        size = max(1, _SUMS_AT_ONCE // (self.n_items * self.together.n_sums))
        for start in range(0, len(moments.users), size):
            some = slice(start, start + size)
            features = features_at(moments.at(some), self.history, self.together, self.fade, self.n_items)
            seen = None if view is None else view._replace(hidden=view.hidden[some])
            yield features.to(self.scaled.device), seen

    def _moments(self, interaction: Any) -> Moments:
        users, ends = interaction[self.user_field].cpu(), interaction[self.end_field].cpu()
        if self.now_field in interaction:
            return Moments(users, ends, interaction[self.now_field].cpu())
        return Moments(users, ends, self.history.timed()[ends if self.now_of_target else ends - 1])

    def _statistics(self, known: Tensor) -> Together:
        users = torch.repeat_interleave(self.history.starts.diff())[known]
        items, times = self.history.items[known], self.history.timed()[known]
        return Together.of(users, items, times, self.n_items, self.n_neighbours, self.fields)
