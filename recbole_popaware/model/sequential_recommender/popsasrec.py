"""SASRec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import SASRec
from torch import Tensor

from recbole_popaware.model.popularity_aware import PopularityAware


class PopSASRec(PopularityAware, SASRec):
    """RecBole's SASRec plus the head's scores, in training and in inference (arXiv 2409.04329).

    The history of a row is the window that the Transformer sees, its newest play included.
    """

    def calculate_loss(self, interaction: Any) -> Tensor:
        """CE over the catalogue or BPR against one negative, over the summed scores."""
        if self.popularity_head is None:
            loss: Tensor = super().calculate_loss(interaction)
        elif self.loss_type == "CE":
            loss = self.loss_fct(self.full_sort_predict(interaction), interaction[self.POS_ITEM_ID])
        else:
            history = interaction[self.ITEM_SEQ]
            output = self.forward(history, interaction[self.ITEM_SEQ_LEN])  # [B, H]
            pair = torch.stack([interaction[self.POS_ITEM_ID], interaction[self.NEG_ITEM_ID]], dim=1)
            scores = torch.einsum("bh,bkh->bk", output, self.item_embedding(pair))
            scores = scores + self.popularity_head.candidates(history, pair)
            loss = self.loss_fct(scores[:, 0], scores[:, 1])
        return loss
