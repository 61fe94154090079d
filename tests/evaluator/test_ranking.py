from __future__ import annotations

from functools import partial
from unittest.mock import patch

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.evaluator import ranking
from recbole_popaware.evaluator.best import best_values
from recbole_popaware.evaluator.ranking import ideal_gains, top_items
from recbole_popaware.plays.ragged import look_up_keys, row_keys


@given(
    rows=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=4),
    k=st.integers(1, 6),
)
def test_equal_scores_go_by_item_id(rows, k):
    scores = torch.tensor(rows, dtype=torch.float32)
    expected = [sorted(range(6), key=lambda item: (-row[item], item))[:k] for row in rows]
    assert top_items(scores, k).tolist() == expected


@given(st.integers(0, 10_000), st.integers(1, 2), st.sampled_from([3, 50]))
def test_large_catalogues_are_ranked_alike(seed, k, n_levels):
    """In blocks of two columns, the last one by itself; some columns are not to be recommended."""
    random = torch.Generator().manual_seed(seed)
    scores = torch.randint(n_levels, (3, 51), generator=random).float()
    scores[torch.rand(scores.shape, generator=random) < 0.5] = -torch.inf
    with patch.object(ranking, "best_values", partial(best_values, block=2)):  # 25 blocks, more than 4 k
        actual = top_items(scores, k)
    assert torch.equal(actual, top_items(scores, k))


def test_padding_at_minus_infinity_comes_last():
    scores = torch.tensor([[-torch.inf, 1.0, 1.0, 2.0]])
    assert top_items(scores, 4).tolist() == [[3, 1, 2, 0]]


def test_what_may_not_be_recommended_is_padding():
    scores = torch.tensor([[-torch.inf, -torch.inf, 1.0, -torch.inf, 2.0]])
    assert top_items(scores, 4).tolist() == [[4, 2, 0, 0]]


def test_keys_are_found_in_their_own_row_only():
    known = torch.tensor([1, 7])  # row 0: item 1; row 1 of 5 items: item 2
    keys = row_keys(torch.tensor([[1, 2], [1, 2]]), n_items=5)
    assert look_up_keys(keys, known, torch.tensor([3, 4])).tolist() == [[3, 0], [0, 4]]
    assert look_up_keys(keys, known[:0], known[:0]).tolist() == [[0, 0], [0, 0]]


def test_ideal_gains_are_sorted_cut_and_filled():
    gains = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    assert ideal_gains(gains, 2).tolist() == [[2, 1], [0, 0]]
    assert ideal_gains(gains, 5).tolist() == [[2, 1, 0, 0, 0], [0] * 5]
    np.testing.assert_equal(gains.numpy(), [[1, 0, 2], [0, 0, 0]])
