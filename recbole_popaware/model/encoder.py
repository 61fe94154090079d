"""RecBole's Transformer encoder through PyTorch's fused attention, over all positions or only the last."""

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

    def forward(self, hidden: Tensor, mask: Tensor | None, queried: Tensor | None = None) -> Tensor:
        """Attend from some positions to all.

        Args:
            hidden: ``[B, L, H]``.
            mask: ``[B, 1, 1, L]``, True where a position may be seen; ``None``: each position sees those up
                to itself.
            queried: ``[B, M, H]`` the positions to compute, if not all; each sees what ``mask`` allows, which
                must be passed then.

        Returns:
            ``[B, M, H]``.
        """
        asking = hidden if queried is None else queried
        query, key, value = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project, x in ((self.query, asking), (self.key, hidden), (self.value, hidden))
        )
        context = scaled_dot_product_attention(
            query, key, value, mask, dropout_p=self.dropout if self.training else 0.0, is_causal=mask is None
        )
        attended = self.out_dropout(self.dense(context.transpose(1, 2).flatten(2)))
        normed: Tensor = self.LayerNorm(attended + asking)
        return normed


def fuse(encoder: TransformerEncoder) -> None:
    """Replace the attention layers of a stock encoder; its state dict stays as it was."""
    for layer in encoder.layer:
        layer.multi_head_attention = FusedAttention(layer.multi_head_attention)


def embed(network: Any, windows: Tensor) -> Tensor:
    """Embedded positions ``[B, L, H]`` of windows ``[B, L]``, as RecBole's Transformers make them."""
    embedded = network.item_embedding(windows) + network.position_embedding.weight[: windows.size(1)]
    hidden: Tensor = network.dropout(network.LayerNorm(embedded))
    return hidden


def encode(encoder: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Run a fused encoder over all positions.

    Args:
        encoder: A stock encoder after :func:`fuse`.
        hidden: ``[B, L, H]`` embedded positions.
        mask: As in :class:`FusedAttention`; padding behind the plays needs none where attention is causal.

    Returns:
        ``[B, L, H]``.
    """
    for layer in encoder.layer:
        hidden = layer.feed_forward(layer.multi_head_attention(hidden, mask))
    return hidden


def encode_last(encoder: Any, hidden: Tensor, mask: Tensor, last: Tensor, causal: bool) -> Tensor:
    """Run a fused encoder for one position of each row, which spares the last layer all others.

    Args:
        encoder: A stock encoder after :func:`fuse`.
        hidden: ``[B, L, H]`` embedded positions.
        mask: ``[B, 1, 1, L]`` True where the row's last position may look.
        last: ``[B]`` that position.
        causal: Whether the other positions see only those up to themselves, or what ``mask`` allows.

    Returns:
        ``[B, H]``.
    """
    *lower, top = encoder.layer
    for layer in lower:
        hidden = layer.feed_forward(layer.multi_head_attention(hidden, None if causal else mask))
    index = last.view(-1, 1, 1).expand(-1, 1, hidden.size(-1))
    computed: Tensor = top.feed_forward(top.multi_head_attention(hidden, mask, hidden.gather(1, index)))
    return computed.squeeze(1)
