"""SASRec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import SASRec
from torch import Tensor

from recbole_popaware.model.encoder import embed, encode, encode_last, fuse
from recbole_popaware.model.objective import Targets
from recbole_popaware.model.popularity_aware import Encoded, PopularityAware


class PopSASRec(PopularityAware, SASRec):
    """RecBole's SASRec plus the head's scores, in training and in inference (arXiv 2409.04329).

    Every position of a window may have a target (``train_targets: all``). For that at position t the head
    counts the plays 1 to t, or with ``pps_history`` also those before the window; in inference those of the
    whole window.
    """

    reads_any_length = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        fuse(self.trm_encoder)

    def training_targets(self, interaction: Any) -> Targets:
        """Every position that has a target, or the last position of each row."""
        if self.NEXT_ITEMS not in interaction:
            return super().training_targets(interaction)
        windows, following = interaction[self.ITEM_SEQ], interaction[self.NEXT_ITEMS]
        history = self.head_history(interaction, windows)
        rows, positions = torch.nonzero(following, as_tuple=True)
        states = encode(self.trm_encoder, embed(self, windows), None)
        queries = history.before(rows, positions + 1)
        targets = following[rows, positions]
        return Targets(states[rows, positions], targets, history.plays, queries, states.flatten(0, 1))

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        windows, lengths = interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]
        seen = (windows != 0)[:, None, None]
        return encode_last(self.trm_encoder, embed(self, windows), seen, lengths - 1, causal=True)

    def encoded(self, interaction: Any) -> Encoded:
        """The windows with the states of all positions."""
        windows = interaction[self.ITEM_SEQ]
        states = encode(self.trm_encoder, embed(self, windows), None)
        return Encoded(windows, states, interaction[self.ITEM_SEQ_LEN] - 1)
