from __future__ import annotations

import pytest
import torch
from recbole.model.layers import TransformerEncoder

from recbole_popaware.model.encoder import encode, encode_last, fuse

LENGTHS = torch.tensor([1, 3, 6])
SEEN = (torch.arange(6) < LENGTHS.unsqueeze(1))[:, None, None]


@pytest.fixture
def encoders():
    """A stock encoder and a fused one with its weights."""
    sizes = {"n_layers": 2, "n_heads": 2, "hidden_size": 8, "inner_size": 16}
    stock, fused = (TransformerEncoder(**sizes, hidden_dropout_prob=0.3).eval() for _ in range(2))
    fuse(fused)
    assert fused.state_dict().keys() == stock.state_dict().keys()
    fused.load_state_dict(stock.state_dict())
    return stock, fused.eval()


@pytest.mark.parametrize("causal", [True, False])
def test_fused_attention_equals_stock(encoders, causal):
    stock, fused = encoders
    positions = torch.randn(3, 6, 8)
    allowed = SEEN.expand(-1, 1, 6, 6).tril() if causal else SEEN
    expected = stock(positions, torch.where(allowed, 0.0, -10000.0))[-1]
    encoded = encode(fused, positions, None if causal else SEEN)
    real = SEEN[:, 0, 0]
    torch.testing.assert_close(encoded[real], expected[real], atol=1e-6, rtol=1e-5)
    last = encode_last(fused, positions, SEEN, LENGTHS - 1, causal)
    torch.testing.assert_close(last, expected[torch.arange(3), LENGTHS - 1], atol=1e-6, rtol=1e-5)


def test_gradients_equal_stock_s(encoders):
    stock, fused = encoders
    positions = torch.randn(3, 6, 8)
    real = SEEN[:, 0, 0]
    stock(positions, torch.where(SEEN.expand(-1, 1, 6, 6).tril(), 0.0, -10000.0))[-1][real].sum().backward()
    encode(fused, positions, None)[real].sum().backward()
    for one, other in zip(fused.parameters(), stock.parameters()):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-4)


def test_dropout_falls_on_fused_attention_in_training(encoders):
    fused = encoders[1].train()
    positions = torch.randn(3, 6, 8)
    assert not torch.equal(encode(fused, positions, None), encode(fused, positions, None))
