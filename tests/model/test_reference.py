from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.model.reference import count_plays, head_scores, weigh_plays

N_ITEMS = 9
histories = st.lists(st.integers(-1, N_ITEMS + 1), min_size=1, max_size=20)


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
def test_agrees_with_the_published_program(golden, form):
    values = golden["personalised_popularity"]
    n_items = values["n_items"] + 1
    for plays, expected in zip(values["histories"], values[form]):
        plays = torch.tensor(plays) + 1  # the published program counts items from 0
        if form == "softmax":
            plays, expected = plays[-values["softmax_window"] :], [expected]
        counts = count_plays(plays.unsqueeze(0), n_items)
        scores = head_scores(counts, counts, form, values["epsilon"])[0, :, 1:]
        expected = torch.tensor(expected[: len(plays)], dtype=torch.float64).view(-1, n_items - 1)
        torch.testing.assert_close(scores[-len(expected) :], expected, atol=1e-5, rtol=0)


def test_hand_made_scores():
    """Items 3 1 3, then padding; the last item, 2, was never played."""
    counts = count_plays(torch.tensor([[3, 1, 3, 0]]), 4)
    assert counts[0, :, 1:].tolist() == [[0, 0, 1], [1, 0, 1], [1, 0, 2], [1, 0, 2]]
    softmax = head_scores(counts, counts, "softmax", 0.5)[0, -1].exp()
    torch.testing.assert_close(softmax, torch.tensor([0.5, 1.5, 0.5, 2.5]).double() / 2.5)
    sigmoid = head_scores(counts, counts, "sigmoid", 0.5)[0, -1, 1:].sigmoid()
    torch.testing.assert_close(sigmoid, torch.tensor([1.5, 0.5, 2.5]).double() / 4.5)


@given(history=histories, decay=st.sampled_from([0.0, 0.3, 1.5]), offset=st.sampled_from([0.0, 0.5, 20.0]))
def test_strengths_equal_the_formula_play_by_play(history, decay, offset):
    plays = [item for item in history if 0 < item < N_ITEMS]
    expected = [
        sum(
            ((len(plays) - index + offset) / (1 + offset)) ** -decay
            for index, item in enumerate(plays)
            if item == wanted
        )
        for wanted in range(1, N_ITEMS)
    ]
    strengths = weigh_plays(torch.tensor([history]), N_ITEMS, decay, offset)[0, -1, 1:]
    torch.testing.assert_close(strengths, torch.tensor(expected, dtype=torch.float64))


@given(history=histories)
def test_without_decay_strengths_are_counts(history):
    windows = torch.tensor([history])
    torch.testing.assert_close(weigh_plays(windows, N_ITEMS, 0.0), count_plays(windows, N_ITEMS))
