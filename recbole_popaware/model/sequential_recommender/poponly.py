"""Popularity only: everything that a listener's plays say about every item, without a Transformer."""

from __future__ import annotations

from typing import Any

from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor

from recbole_popaware.model.replay_head import ReplayHead
from recbole_popaware.plays.history import PlayHistory


class PopOnly(SequentialRecommender):
    """Faded counts, corrected by the record and the order of plays, and spreading to what is new.

    It trains in seconds, and is what a network has to beat: the scores of
    :class:`~recbole_popaware.model.replay_head.ReplayHead` alone.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.EXAMPLE: str = config["EXAMPLE_FIELD"]
        self.replay = ReplayHead(config, dataset)

    @property
    def history(self) -> PlayHistory:
        """The plays that lists are made from."""
        return self.replay.history

    @history.setter
    def history(self, history: PlayHistory) -> None:
        self.replay.replace_history(history)

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Cross-entropy of what was played after some moments."""
        return self.replay.loss(interaction[self.EXAMPLE])

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return self.full_sort_predict(interaction).gather(1, items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        return self.replay.scores(interaction)

    def term_scores(self, interaction: Any) -> dict[str, Tensor]:
        """What each term gives to all items, ``[B, n_items]`` each; their sum is the score."""
        return self.replay.terms(interaction)
