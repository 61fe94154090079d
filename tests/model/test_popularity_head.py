from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from recbole_popaware.model.popularity_head import FORMS, PopularityHead
from recbole_popaware.model.reference import count_plays, head_scores
from recbole_popaware.plays.play_index import PlayIndex, Queries

N_ITEMS = 12  # ids 1 to 11, 0 is padding
histories = st.lists(st.integers(1, N_ITEMS - 1), min_size=1, max_size=20)
forms = st.sampled_from(sorted(FORMS))


def dense(windows, form, epsilon):
    """Scores of all items at every position, ``[B, L, N_ITEMS]``."""
    counts = count_plays(windows, N_ITEMS)
    return head_scores(counts, counts, form, epsilon).float()


@pytest.mark.parametrize("form", sorted(FORMS))
def test_agrees_with_the_published_program(golden, form):
    values = golden["personalised_popularity"]
    head = PopularityHead(values["n_items"] + 1, form, values["epsilon"])
    for plays, expected in zip(values["histories"], values[form]):
        plays = torch.tensor(plays) + 1  # the reference counts items from 0
        if form == "softmax":
            scores = head(plays[-values["softmax_window"] :].unsqueeze(0))
        else:  # a row for every position: the plays up to it
            expected = expected[: len(plays)]
            rows = torch.stack([plays.where(torch.arange(len(plays)) <= t, 0) for t in range(len(plays))])
            scores = head(rows)
        expected = torch.tensor(expected).view(len(scores), -1)
        torch.testing.assert_close(scores[:, 1:], expected, atol=1e-5, rtol=0)


def test_hand_made_scores():
    history = torch.tensor([[3, 1, 3, 0]])
    softmax = PopularityHead(5, "softmax", 0.5)(history)[0, 1:]
    torch.testing.assert_close(softmax.exp(), torch.tensor([1.5, 0.5, 2.5, 0.5]) / 2.5)
    sigmoid = PopularityHead(5, "sigmoid", 0.5)(history)[0, 1:]
    torch.testing.assert_close(sigmoid.sigmoid(), torch.tensor([1.5, 0.5, 2.5, 0.5]) / 5)


@given(history=histories, form=forms, epsilon=st.sampled_from([0.01, 0.5, 3.0]))
def test_equals_the_dense_formula(history, form, epsilon):
    rows = torch.tensor([history])
    scores = PopularityHead(N_ITEMS, form, epsilon)(rows)
    torch.testing.assert_close(scores, dense(rows, form, epsilon)[:, -1], atol=1e-5, rtol=1e-5)


@given(history=histories, form=forms, data=st.data())
def test_order_padding_and_unknown_ids_do_not_matter(history, form, data):
    head = PopularityHead(N_ITEMS, form)
    ignored = data.draw(st.lists(st.sampled_from([0, N_ITEMS, N_ITEMS + 7, -1]), max_size=5))
    shuffled = data.draw(st.permutations(history + ignored))
    torch.testing.assert_close(head(torch.tensor([shuffled])), head(torch.tensor([history])))


@given(history=histories, item=st.integers(1, N_ITEMS - 1), form=forms)
def test_one_more_play_raises_an_item_against_all_others(history, item, form):
    head = PopularityHead(N_ITEMS, form)
    before, after = head(torch.tensor([history])), head(torch.tensor([[*history, item]]))
    gained = (after[0, item] - after[0]) - (before[0, item] - before[0])
    others = torch.arange(N_ITEMS) != item
    assert (gained[others] > 0).all()


@given(history=histories, form=forms, candidates=st.lists(st.integers(1, N_ITEMS - 1), min_size=1))
def test_candidates_score_as_among_all_items(history, form, candidates):
    head = PopularityHead(N_ITEMS, form)
    rows, chosen = torch.tensor([history]), torch.tensor([candidates])
    plays = PlayIndex.of_windows(rows, N_ITEMS)
    scores = head.candidates(plays, plays.at_ends(), chosen)
    torch.testing.assert_close(scores, head(rows).gather(1, chosen))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_loss_and_gradients_equal_the_dense_ones(form):
    generator = torch.Generator().manual_seed(5)
    history = torch.randint(0, 6, (7, 9), generator=generator)  # few items: most repeat
    hidden = torch.randn(7, 4, generator=generator)
    target = torch.randint(1, N_ITEMS, (7,), generator=generator)
    losses, gradients = [], []
    for popularity in ("dense", "sparse"):
        weight = torch.linspace(-1, 1, 4 * N_ITEMS).view(N_ITEMS, 4).requires_grad_()
        logits = hidden @ weight.T
        if popularity == "sparse":
            plays = PlayIndex.of_windows(history, N_ITEMS)
            logits = PopularityHead(N_ITEMS, form).add_to_(logits, plays, plays.at_ends())[:, 1:]
        else:
            logits = (logits + dense(history, form, 0.01)[:, -1])[:, 1:]
        losses.append(cross_entropy(logits, target - 1))
        losses[-1].backward()
        gradients.append(weight.grad)
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*gradients)


@given(history=histories, form=forms)
def test_positions_inside_a_window_count_what_came_before(history, form):
    """The score at position t is that of a window which ends there, for candidates and for all items."""
    head, windows = PopularityHead(N_ITEMS, form), torch.tensor([history])
    plays = PlayIndex.of_windows(windows, N_ITEMS)
    queries = Queries(torch.zeros(len(history), dtype=torch.long), torch.arange(len(history)) + 1)
    expected = dense(windows, form, 0.01)[0]
    scores = head.add_to_(torch.zeros(len(history), N_ITEMS), plays, queries)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    chosen = torch.randint(0, N_ITEMS, (len(history), 4))
    scores = head.candidates(plays, queries, chosen)
    torch.testing.assert_close(scores, expected.gather(1, chosen), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("history", [[[0, 0]], [[3] * 100_000]], ids=["empty", "all the same"])
def test_extreme_histories_stay_finite(form, history):
    assert PopularityHead(N_ITEMS, form)(torch.tensor(history)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((5, "tanh", 0.1), "tanh"),
        ((5, "softmax", 0.0), "pps_epsilon"),
        ((5, "softmax", float("nan")), "pps_epsilon"),
        ((2, "softmax", 0.1), "1 items"),
    ],
)
def test_impossible_arguments_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        PopularityHead(*arguments)


def test_adds_nothing_to_the_state_dict():
    assert not PopularityHead(5).state_dict()
