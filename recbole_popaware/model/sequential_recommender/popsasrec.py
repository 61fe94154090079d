"""SASRec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import SASRec
from torch import Tensor

from recbole_popaware.model.encoder import encode, encode_last
from recbole_popaware.model.popularity_aware import PopularityAware, TrainingPlaces


class PopSASRec(PopularityAware, SASRec):
    """RecBole's SASRec plus the head's scores, in training and in inference (arXiv 2409.04329).

    At place t of a window the head counts the plays 1 to t, or with ``pps_history`` also those before the
    window; in inference those of the whole window.
    """

    def training_places(self, interaction: Any) -> TrainingPlaces:
        """Every place that has a target, or the last place of each row."""
        windows: Tensor = interaction[self.ITEM_SEQ]
        counted = self.counted(interaction, windows)
        if self.NEXT_ITEMS in interaction:
            following: Tensor = interaction[self.NEXT_ITEMS]
            rows, places = torch.nonzero(following, as_tuple=True)
            hidden = encode(self.trm_encoder, self.embed(windows), None)[rows, places]
            targets, lengths = following[rows, places], places + 1
        else:
            hidden, targets = self.last_hidden(interaction), interaction[self.POS_ITEM_ID]
            lengths = interaction[self.ITEM_SEQ_LEN]
            rows = torch.arange(len(lengths), device=lengths.device)
        return TrainingPlaces(hidden, targets, counted.plays, counted.before(rows, lengths))

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        windows, lengths = interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]
        seen = (windows != 0)[:, None, None]
        return encode_last(self.trm_encoder, self.embed(windows), seen, lengths - 1, causal=True)
