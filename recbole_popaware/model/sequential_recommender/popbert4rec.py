"""BERT4Rec with the personalised popularity head."""

from __future__ import annotations

from typing import Any

import torch
from recbole.model.sequential_recommender import BERT4Rec
from torch import Tensor
from torch.nn import functional

from recbole_popaware.model.encoder import embed, encode, encode_last, fuse
from recbole_popaware.model.objective import Targets
from recbole_popaware.model.popularity_aware import Encoded, PopularityAware


class PopBERT4Rec(PopularityAware, BERT4Rec):
    """RecBole's BERT4Rec plus the head's scores, in training and in inference (arXiv 2409.04329).

    One count vector serves a whole masked sequence. Masked positions are not counted, since their item is
    the label. In inference the history is the whole window.

    It masks its batches itself, instead of RecBole's transform: each play with probability ``mask_ratio``,
    and in a share ``mask_last`` of the windows the last play too, which is what inference asks for. A mask at
    the first position is a target like any other.
    """

    reads_any_length = True

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        fuse(self.trm_encoder)
        self.mask_last: float = config["mask_last"]

    def training_targets(self, interaction: Any) -> Targets:
        """The masked positions of windows that end with the row's target."""
        last, lengths = interaction[self.POS_ITEM_ID], interaction[self.ITEM_SEQ_LEN]
        windows = self._append(interaction[self.ITEM_SEQ], lengths, last)
        masked = self._choose(windows, lengths - 1)
        seen = windows.where(~masked, self.mask_token)
        history = self.head_history(interaction, seen, newest=1)
        rows, positions = torch.nonzero(masked, as_tuple=True)
        queries = history.before(rows, lengths[rows])
        items = windows[rows, positions]
        states = encode(self.trm_encoder, embed(self, seen), (seen != 0)[:, None, None])
        if self.output is None:
            return Targets(self._transform(states[rows, positions]), items, history.plays, queries)
        states = self._transform(states)
        return Targets(states[rows, positions], items, history.plays, queries, states.flatten(0, 1))

    def last_hidden(self, interaction: Any) -> Tensor:
        """The network's view of each row's window at a mask behind its last play, ``[B, H]``."""
        lengths = interaction[self.ITEM_SEQ_LEN]
        windows = self.reconstruct_test_data(interaction[self.ITEM_SEQ], lengths)
        seen = (windows != 0)[:, None, None]
        hidden = encode_last(self.trm_encoder, embed(self, windows), seen, lengths - 1, causal=False)
        return self._transform(hidden)

    def encoded(self, interaction: Any) -> Encoded:
        """The windows with a mask behind the last play, with the states of all positions."""
        lengths = interaction[self.ITEM_SEQ_LEN]
        windows = self.reconstruct_test_data(interaction[self.ITEM_SEQ], lengths)
        states = encode(self.trm_encoder, embed(self, windows), (windows != 0)[:, None, None])
        return Encoded(windows, self._transform(states), lengths - 1)

    def reconstruct_test_data(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Stock's windows with the mask behind the last play, without its loop over rows."""
        return self._append(item_seq, item_seq_len, item_seq_len.new_tensor(self.mask_token))

    def _append(self, windows: Tensor, lengths: Tensor, items: Tensor) -> Tensor:
        """Put an item ``[B]`` behind each window ``[B, L]`` and drop the first, as stock does."""
        items = items.expand_as(lengths).unsqueeze(1)
        return functional.pad(windows, (0, 1)).scatter(1, lengths.unsqueeze(1), items)[:, 1:]

    def _choose(self, windows: Tensor, last: Tensor) -> Tensor:
        """Choose the positions ``[B, L]`` to mask."""
        draw = torch.rand(windows.shape, device=windows.device)
        masked = (draw < self.mask_ratio) & (windows != 0)
        ends = torch.rand(len(windows), 1, device=windows.device) < self.mask_last
        return masked.scatter(1, last.unsqueeze(1), masked.gather(1, last.unsqueeze(1)) | ends)

    def _transform(self, hidden: Tensor) -> Tensor:
        transformed: Tensor = self.output_ln(self.output_gelu(self.output_ffn(hidden)))
        return transformed
