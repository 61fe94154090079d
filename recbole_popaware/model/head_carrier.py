"""What a sequential model with a popularity head has besides its network."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor, nn

from recbole_popaware.errors import UsageError
from recbole_popaware.model.head_history import HeadHistory, Windows
from recbole_popaware.model.heads import make_head
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.play_index import PlayIndex, Queries


class HeadCarrier(SequentialRecommender):
    """Base of the mixins that add a head to a model: the head, what it counts, and the network's weight.

    Attributes:
        popularity_head: The head; ``None`` where it is switched off.
        history: Every play of every user; ``None`` with files that were split beforehand.
        network_weight: A learned factor of the network's scores, if one is asked for.
        inference_weight: Another one for inference, set at every validation.
    """

    def carry_head(self, config: Any, dataset: Any) -> None:
        """Make the head; the last step of a constructor, since a model's first weights come before it.

        Raises:
            UsageError: If the data set has no histories that the head needs.
        """
        self.END: str = config["HISTORY_END_FIELD"]
        self.pps_history: str | int = config["pps_history"]
        self.history: PlayHistory | None = getattr(dataset, "history", None)
        if self.history is None and self.pps_history != "window":
            raise UsageError(
                f"pps_history: {self.pps_history} needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; say --pps_history=window"
            )
        self.popularity_head = make_head(config, self.n_items)
        self.network_weight = nn.Parameter(torch.zeros(())) if config["learn_network_weight"] else None
        validated = torch.ones(()) if config["network_weights"] else None  # set at every validation
        self.inference_weight: Tensor | None
        self.register_buffer("inference_weight", validated)

    def network_weights(self) -> tuple[Tensor, ...]:
        """What the network's scores are multiplied by, now."""
        weights = (self.network_weight, None if self.training else self.inference_weight)
        return tuple(weight for weight in weights if weight is not None)

    def popularity_scores(self, interaction: Any) -> Tensor | None:
        """The head's scores of all items, ``[B, n_items]``; ``None`` where it is switched off."""
        if self.popularity_head is None:
            return None
        windows = interaction[self.ITEM_SEQ]
        zeros = torch.zeros(len(windows), self.n_items, device=windows.device)
        return self.popularity_head.add_to_(zeros, *self._at_ends(interaction))

    def sparse_popularity(self, interaction: Any) -> tuple[Tensor, Tensor, Tensor] | None:
        """The head's scores as :meth:`~.popularity_head.PopularityHead.sparse` returns them, or ``None``."""
        if self.popularity_head is None:
            return None
        return self.popularity_head.sparse(*self._at_ends(interaction))

    def head_history(self, interaction: Any, windows: Tensor, newest: int = 0) -> HeadHistory:
        """The plays that the head counts for a batch.

        Args:
            interaction: The batch.
            windows: ``[B, L]`` its windows, as the network may see them.
            newest: How many plays after the batch's own windows they hold.
        """
        if self.history is None or self.pps_history == "window":
            return HeadHistory.of_windows(windows, self.n_items)
        lengths, users = interaction[self.ITEM_SEQ_LEN], interaction[self.USER_ID]
        limit = None if self.pps_history == "full" else int(self.pps_history)
        seen = Windows(windows, lengths, users, interaction[self.END] + newest)
        return HeadHistory.of_store(seen, self.n_items, self.history, limit)

    def _at_ends(self, interaction: Any) -> tuple[PlayIndex, Queries]:
        """Histories, and a query after each row's window."""
        history = self.head_history(interaction, interaction[self.ITEM_SEQ])
        lengths = interaction[self.ITEM_SEQ_LEN]
        return history.plays, history.before(torch.arange(len(lengths), device=lengths.device), lengths)
