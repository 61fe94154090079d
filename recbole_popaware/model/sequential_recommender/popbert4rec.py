"""BERT4Rec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import BERT4Rec
from torch import Tensor
from torch.nn import functional

from recbole_popaware.model.popularity_aware import PopularityAware


class PopBERT4Rec(PopularityAware, BERT4Rec):
    """RecBole's BERT4Rec plus the head's scores, in training and in inference (arXiv 2409.04329).

    One count vector serves a whole masked sequence. Masked places are not counted, since their item is
    the label. In inference the history is the whole window.

    Raises:
        ValueError: If ``mask_ratio`` of the window is less than one place.
    """

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        if self.mask_item_length < 1:
            raise ValueError(
                f"mask_ratio [{self.mask_ratio}] of MAX_ITEM_LIST_LENGTH [{self.max_seq_length}] is less "
                f"than one place; raise one of them"
            )

    def reconstruct_test_data(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Stock's windows with the mask behind the last play, without its loop over rows."""
        masked = functional.pad(item_seq, (0, 1))
        masked = masked.scatter(1, item_seq_len.unsqueeze(1), self.mask_token)
        return masked[:, 1:]

    def calculate_loss(self, interaction: Any) -> Tensor:
        """CE over the catalogue or BPR against one negative at the masked places, as stock weighs them."""
        if self.popularity_head is None:
            stock: Tensor = super().calculate_loss(interaction)
            return stock
        history = interaction[self.MASK_ITEM_SEQ]
        places = interaction[self.MASK_INDEX]  # [B, M], 0 where a row has fewer masks
        positives = interaction[self.POS_ITEMS]
        index = places.unsqueeze(-1).expand(-1, -1, self.hidden_size)
        output = self.forward(history).gather(1, index)  # [B, M, H]
        if self.loss_type == "CE":
            logits = output @ self.item_embedding.weight[: self.n_items].T + self.output_bias
            self.popularity_head.add_to_(logits, history)
            losses = functional.cross_entropy(logits.flatten(0, 1), positives.flatten(), reduction="none")
            losses = losses.view_as(places)
        else:
            pair = torch.stack([positives, interaction[self.NEG_ITEMS]], dim=1)  # [B, 2, M]
            scores = torch.einsum("bmh,bkmh->bkm", output, self.item_embedding(pair)) + self.output_bias[pair]
            scores += self.popularity_head.candidates(history, pair.flatten(1)).view_as(scores)
            losses = -torch.log(1e-14 + torch.sigmoid(scores[:, 0] - scores[:, 1]))
        weights = (places > 0).to(losses.dtype)
        return (losses * weights).sum() / weights.sum()
