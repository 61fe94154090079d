"""RecBole's Transformer encoder through PyTorch's fused attention, over all places or the last one only."""

from __future__ import annotations

from typing import Any

from recbole.model.layers import MultiHeadAttention, TransformerEncoder
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class FusedAttention(nn.Module):
    """A stock attention layer with the same weights under the same names; differs in how it computes.

    Stock adds -10000 to masked scores, which is 0 after the softmax in every float type, so that the results
    are equal up to rounding. Dropout falls on the same probabilities, drawn in another order.

    Args:
        stock: The layer whose modules are taken over.
    """

    query: nn.Module
    key: nn.Module
    value: nn.Module
    dense: nn.Module
    out_dropout: nn.Module
    LayerNorm: nn.Module

    def __init__(self, stock: MultiHeadAttention) -> None:
        super().__init__()
        self.n_heads: int = stock.num_attention_heads
        self.dropout: float = stock.attn_dropout.p
        for name, module in stock.named_children():
            self.add_module(name, module)

    def forward(self, places: Tensor, mask: Tensor | None, queried: Tensor | None = None) -> Tensor:
        """Attend from some places to all.

        Args:
            places: ``[B, L, H]``.
            mask: ``[B, 1, 1, L]``, True where a place may be seen; ``None``: each place sees those up to
                itself.
            queried: ``[B, M, H]`` the places to compute, if not all; each sees what ``mask`` allows, which
                must be given.

        Returns:
            ``[B, M, H]``.
        """
        asking = places if queried is None else queried
        query, key, value = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project, x in ((self.query, asking), (self.key, places), (self.value, places))
        )
        context = scaled_dot_product_attention(
            query, key, value, mask, dropout_p=self.dropout if self.training else 0.0, is_causal=mask is None
        )
        hidden = self.out_dropout(self.dense(context.transpose(1, 2).flatten(2)))
        normed: Tensor = self.LayerNorm(hidden + asking)
        return normed


def fuse(encoder: TransformerEncoder) -> None:
    """Replace the attention layers of a stock encoder; its state dict stays as it was."""
    for layer in encoder.layer:
        layer.multi_head_attention = FusedAttention(layer.multi_head_attention)


def encode(encoder: Any, places: Tensor, mask: Tensor | None) -> Tensor:
    """Run a fused encoder over all places.

    Args:
        encoder: A stock encoder after :func:`fuse`.
        places: ``[B, L, H]`` embedded places.
        mask: As in :class:`FusedAttention`; padding behind the plays needs none where attention is causal.

    Returns:
        ``[B, L, H]``.
    """
    for layer in encoder.layer:
        places = layer.feed_forward(layer.multi_head_attention(places, mask))
    return places


def encode_last(encoder: Any, places: Tensor, mask: Tensor, last: Tensor, causal: bool) -> Tensor:
    """Run a fused encoder for one place of each row, which spares the last layer all others.

    Args:
        encoder: A stock encoder after :func:`fuse`.
        places: ``[B, L, H]`` embedded places.
        mask: ``[B, 1, 1, L]`` True where the row's last place may look.
        last: ``[B]`` that place.
        causal: Whether the other places see only those up to themselves, or what ``mask`` allows.

    Returns:
        ``[B, H]``.
    """
    *lower, top = encoder.layer
    for layer in lower:
        places = layer.feed_forward(layer.multi_head_attention(places, None if causal else mask))
    index = last.view(-1, 1, 1).expand(-1, 1, places.size(-1))
    hidden: Tensor = top.feed_forward(top.multi_head_attention(places, mask, places.gather(1, index)))
    return hidden.squeeze(1)
