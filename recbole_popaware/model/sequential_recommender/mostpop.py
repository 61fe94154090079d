"""Global popularity."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor


class MostPop(SequentialRecommender):
    """Every user gets the items with most plays in the training part; nothing is learned."""

    item_plays: Tensor

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        self.register_buffer("item_plays", dataset.item_plays())  # [n_items]

    def calculate_loss(self, interaction: Any) -> Tensor:
        """Nothing to learn: 0."""
        return torch.zeros((), device=self.item_plays.device)

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return self.full_sort_predict(interaction).gather(1, items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Plays of all items, ``[B, n_items]``."""
        return self.item_plays.float().repeat(len(interaction), 1)
