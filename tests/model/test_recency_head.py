from __future__ import annotations

import pytest
import torch
from helpers import build
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware.errors import UsageError
from recbole_popaware.model.head_history import HeadHistory, Windows
from recbole_popaware.model.popularity_head import FORMS, PopularityHead
from recbole_popaware.model.recency_head import LEARNABLE, RecencyHead
from recbole_popaware.model.reference import count_plays, head_scores, weigh_plays
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.play_index import PlayIndex

N_ITEMS = 9
histories = st.lists(st.integers(1, N_ITEMS - 1), min_size=1, max_size=20)
forms = st.sampled_from(sorted(FORMS))


@given(history=histories, form=forms)
def test_without_decay_and_weight_it_is_the_head_of_the_paper(history, form):
    windows = torch.tensor([history])
    assert torch.equal(RecencyHead(N_ITEMS, form, 0.01, 0.0)(windows), PopularityHead(N_ITEMS, form)(windows))


@given(
    history=histories,
    form=forms,
    decay=st.sampled_from([0.1, 0.5, 1.5]),
    offset=st.sampled_from([0.0, 0.5, 20.0]),
)
def test_equals_the_dense_formula(history, form, decay, offset):
    windows = torch.tensor([history])
    scores = RecencyHead(N_ITEMS, form, 0.3, decay, offset=offset)(windows)
    strengths = weigh_plays(windows, N_ITEMS, decay, offset)
    expected = head_scores(count_plays(windows, N_ITEMS), strengths, form, 0.3)[:, -1]
    torch.testing.assert_close(scores, expected.float(), atol=1e-5, rtol=1e-5)


def learnable(form):
    """All that a form can learn: a constant is nothing to a softmax."""
    return tuple(name for name in LEARNABLE if form == "sigmoid" or name != "b")


@pytest.mark.parametrize("form", sorted(FORMS))
def test_gradients_agree_with_differences(form):
    torch.set_default_dtype(torch.float64)
    try:
        head = RecencyHead(N_ITEMS, form, 0.2, 0.4, learnable(form), 3.0)
        windows = torch.randint(1, 5, (3, 12), generator=torch.Generator().manual_seed(1))

        def scores(*parameters):
            named = dict(zip(dict(head.named_parameters()), parameters))
            return torch.func.functional_call(head, named, (windows,))

        parameters = tuple(p.detach().clone().requires_grad_() for p in head.parameters())
        assert len(parameters) == len(learnable(form))
        assert torch.autograd.gradcheck(scores, parameters)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("history", [[3], [3] * 100_000, [1, 2, 3, 4] * 25_000], ids=["1", "same", "four"])
def test_long_and_short_histories_stay_finite(form, history):
    head = RecencyHead(N_ITEMS, form, 0.01, 0.5, learnable(form), 10.0)
    scores = head(torch.tensor([history]))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(p.grad.isfinite() for p in head.parameters())


def test_the_constant_shifts_every_score():
    history = torch.tensor([[1, 2, 2]])
    head = RecencyHead(N_ITEMS, "sigmoid", 0.1, 0.5, ("alpha", "b"))
    before = head(history)
    with torch.no_grad():
        head.bias.fill_(2.5)
    torch.testing.assert_close(head(history), before + 2.5)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("beta",), "pps_learn"), (("b",), "pps_learn"), (("d",), "pps_decay"), ((), "pps_decay")],
)
def test_impossible_arguments_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        RecencyHead(N_ITEMS, "softmax", 0.1, -1.0 if not arguments else 0.0, arguments)


STORE = PlayHistory.from_sorted(
    torch.tensor([1] * 7 + [2] * 3).numpy(),
    torch.tensor([5, 5, 1, 2, 5, 3, 3, 8, 8, 1]).numpy(),
    torch.arange(10).numpy(),
    3,
)


@pytest.mark.parametrize("limit", [None, 4, 2])
def test_whole_histories_count_what_lies_before_the_window(limit):
    """User 1 has played 5 5 1 2 5 3 3, of which the window of three holds 5 3 3; user 2 has 8 8 of 8 8 1."""
    windows = Windows(
        torch.tensor([[5, 3, 3], [8, 8, 0]]),
        torch.tensor([3, 2]),
        torch.tensor([1, 2]),
        torch.tensor([7, 9]),
    )
    history = HeadHistory.of_store(windows, N_ITEMS, STORE, limit)
    rows, positions = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([1, 2, 3, 1, 2])
    queries = history.before(rows, positions)
    heard = [[5, 5, 1, 2, 5], [5, 5, 1, 2, 5, 3], [5, 5, 1, 2, 5, 3, 3], [8], [8, 8]]
    scores = PopularityHead(N_ITEMS, "sigmoid").add_to_(torch.zeros(5, N_ITEMS), history.plays, queries)
    for row, plays in enumerate(heard):
        kept = plays if limit is None else plays[-limit:]
        expected = PopularityHead(N_ITEMS, "sigmoid")(torch.tensor([kept]))[0]
        torch.testing.assert_close(scores[row], expected)


def test_a_masked_position_of_a_whole_history_is_no_play():
    windows = Windows(*map(torch.tensor, ([[5, N_ITEMS, 3]], [3], [1], [7])))
    history = HeadHistory.of_store(windows, N_ITEMS, STORE)
    queries = history.before(torch.tensor([0]), torch.tensor([3]))
    hits = history.plays.everything(queries)
    assert dict(zip(hits.at.tolist(), hits.plays.tolist())) == {1: 1, 2: 1, 3: 1, 5: 3}


def test_ages_in_hours_count_from_the_newest_play():
    store = STORE._replace(times=torch.arange(10) * 3600.0)
    windows = Windows(*map(torch.tensor, ([[5, 3, 3]], [3], [1], [7])))
    history = HeadHistory.of_store(windows, N_ITEMS, store)
    queries = history.before(torch.tensor([0]), torch.tensor([2]))
    hits = history.plays.find(queries, torch.tensor([[5]]))
    assert history.plays.ages(queries, hits)[1].tolist() == [6.0, 5.0, 2.0]
    everything = torch.arange(1, N_ITEMS).unsqueeze(0)
    scores = RecencyHead(N_ITEMS, "sigmoid", 0.1, 1.0).candidates(history.plays, queries, everything)
    p = torch.tensor([1 / 4, 1 / 3, 1.0, 0, 1 / 6 + 1 / 5 + 1 / 2, 0, 0, 0]) + 0.1
    torch.testing.assert_close(scores[0], torch.logit(p / p.sum()))


LEARNED = {"pps_learn": ["alpha", "eps", "d"], "learn_network_weight": True, "pps_learning_rate": 0.05}


@pytest.mark.parametrize("model", ["PopSASRec", "PopGSASRec", "PopBERT4Rec"])
@pytest.mark.parametrize("history", ["window", 5, "full"])
def test_every_backbone_learns_the_head(toy, model, history):
    experiment = build(model, toy, **LEARNED, pps_history=history, negatives=4)
    model, batch = experiment.model, next(iter(experiment.train_data))
    assert model.network_weight.item() == 0.0
    loss = model.calculate_loss(batch)
    loss.backward()
    assert loss.isfinite()
    for parameter in (model.network_weight, *model.popularity_head.parameters()):
        assert parameter.grad.isfinite()
        assert parameter.grad != 0


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec"])
def test_in_inference_a_whole_history_counts_every_play_before_the_target(toy, model):
    experiment = build(model, toy, pps_history="full", popularity_head="sigmoid")
    model, batch = experiment.model, next(iter(experiment.test_data))[0]
    history = experiment.train_data.dataset.history
    for row, (user, end) in enumerate(zip(batch["user_id"].tolist(), batch["history_end"].tolist())):
        heard = history.items[history.starts[user] : end]
        expected = PopularityHead(model.n_items, "sigmoid")(heard.unsqueeze(0))[0]
        torch.testing.assert_close(model.popularity_scores(batch)[row], expected)


def test_training_sees_no_play_from_the_target_on(toy):
    """With whole histories, the plays counted for a target are exactly those before it."""
    experiment = build("PopSASRec", toy, pps_history="full")
    model, batch = experiment.model, next(iter(experiment.train_data))
    targets = model.training_targets(batch)
    history = experiment.train_data.dataset.history
    row, counted = targets.queries.rows, targets.plays.total(targets.queries)
    users = batch["user_id"][row]
    assert torch.equal(history.items[history.starts[users] + counted], targets.items)


def test_hours_need_whole_histories(toy):
    with pytest.raises(UsageError, match="hours"):
        build("PopSASRec", toy, pps_age="hours")
    build("PopSASRec", toy, pps_age="hours", pps_history="full", pps_decay=0.5)


def test_an_index_of_nothing_has_no_ages():
    plays = PlayIndex.of_windows(torch.zeros(1, 3, dtype=torch.long), N_ITEMS)
    assert len(plays.ages(plays.at_ends(), plays.everything(plays.at_ends()))[0]) == 0
