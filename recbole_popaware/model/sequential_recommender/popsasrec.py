"""SASRec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import SASRec
from torch import Tensor

from recbole_popaware.model.encoder import encode, encode_last
from recbole_popaware.model.play_index import PlayIndex, Queries
from recbole_popaware.model.popularity_aware import PopularityAware, TrainingPlaces


class PopSASRec(PopularityAware, SASRec):
    """RecBole's SASRec plus the head's scores, in training and in inference (arXiv 2409.04329).

    At place t of a window the head counts the plays 1 to t; in inference those of the whole window.
    """

    def training_places(self, interaction: Any) -> TrainingPlaces:
        """Every place that has a target, or the last place of each row."""
        windows: Tensor = interaction[self.ITEM_SEQ]
        plays = PlayIndex.of_windows(windows, self.n_items)
        if self.NEXT_ITEMS not in interaction:
            return TrainingPlaces(
                self.last_hidden(interaction), interaction[self.POS_ITEM_ID], plays, plays.at_ends()
            )
        targets: Tensor = interaction[self.NEXT_ITEMS]
        rows, places = torch.nonzero(targets, as_tuple=True)
        hidden = encode(self.trm_encoder, self.embed(windows), None)[rows, places]
        return TrainingPlaces(
            hidden, targets[rows, places], plays, Queries(rows, plays.starts[rows] + places + 1)
        )

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's whole window, ``[B, H]``."""
        windows, lengths = interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]
        seen = (windows != 0)[:, None, None]
        return encode_last(self.trm_encoder, self.embed(windows), seen, lengths - 1, causal=True)
