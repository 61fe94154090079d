"""What a RecBole sequential model needs to carry the popularity head."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recbole_popaware.model.popularity_head import PopularityHead

SWITCHED_OFF = "none"


class PopularityAware:
    """Mixin before a RecBole sequential recommender; differs from stock by the head added to its scores.

    ``popularity_head: none`` leaves the stock model: same weights, same scores, same loss, bit for bit.
    """

    ITEM_SEQ: str
    ITEM_ID: str
    n_items: int

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)  # type: ignore[call-arg]  # the recommender behind the mixin
        form = config["popularity_head"]
        self.popularity_head = (
            None if form == SWITCHED_OFF else PopularityHead(self.n_items, form, config["pps_epsilon"])
        )

    def predict(self, interaction: Any) -> Tensor:
        """Score of each row's item, ``[B]``."""
        scores: Tensor = super().predict(interaction)  # type: ignore[misc]
        if self.popularity_head is None:
            return scores
        items = interaction[self.ITEM_ID].unsqueeze(1)
        return scores + self.popularity_head.candidates(interaction[self.ITEM_SEQ], items).squeeze(1)

    def full_sort_predict(self, interaction: Any) -> Tensor:
        """Scores of all items, ``[B, n_items]``."""
        scores = self.network_scores(interaction)
        if self.popularity_head is None:
            return scores
        return self.popularity_head.add_to_(scores, interaction[self.ITEM_SEQ])

    def network_scores(self, interaction: Any) -> Tensor:
        """Scores of all items without the head's, ``[B, n_items]``."""
        scores: Tensor = super().full_sort_predict(interaction)  # type: ignore[misc]
        return scores

    def popularity_scores(self, interaction: Any) -> Tensor | None:
        """The head's scores of all items, ``[B, n_items]``; ``None`` where it is switched off."""
        return None if self.popularity_head is None else self.popularity_head(interaction[self.ITEM_SEQ])
