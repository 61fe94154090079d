"""CountNet's output layer, against its formula written out item by item."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import build
from hypothesis import given
from hypothesis import strategies as st
from recbole.model.sequential_recommender import GRU4Rec
from torch.nn.functional import cross_entropy, softplus

from recbole_popaware import properties
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.model.count_output import CountNet
from recbole_popaware.model.head_history import HeadHistory
from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.model.popularity_head import PopularityHead
from recbole_popaware.model.scorer import NetworkScorer, Output, Scorer
from recbole_popaware.quick_start import prepare

OURS = ["PopSASRec", "PopGSASRec", "PopBERT4Rec"]
COUNTNET = {"output": "countnet", "popularity_head": "none", "loss_type": "CE"}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0}


def by_formula(layer, table, bias, windows, states, row, last):
    """Scores of all items behind a position of a row, ``[n_items]``."""
    hidden, scores = states[row, last], []
    for item in range(len(table)):
        at = [p for p in range(last + 1) if item > 0 and windows[row, p] == item]
        if not at:
            scores.append(layer.new(hidden) @ table[item])
            continue
        c = len(at)
        g = layer.alpha if c == 1 else torch.log(c - 1 + softplus(layer.raw_beta))
        mean = sum(states[row, p] for p in at) / c
        scores.append((layer.played(hidden) @ table[item] + layer.plays(hidden) @ mean) * g)
    return torch.stack(scores) + (0 if bias is None else bias)


def test_numbers_made_by_hand():
    """One dimension: embeddings 1, 2, 3; the state at each position 1, 2, 4, 5."""
    layer = CountNet(1)
    for linear, weight, bias in ((layer.new, 1.0, 0.0), (layer.played, 2.0, 1.0), (layer.plays, 0.1, 0.0)):
        torch.nn.init.constant_(linear.weight, weight)
        torch.nn.init.constant_(linear.bias, bias)
    layer.alpha.data.fill_(3.0)
    table = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    windows, states = torch.tensor([[1, 2, 1, 0]]), torch.tensor([[[1.0], [2.0], [4.0], [5.0]]])
    history = HeadHistory.of_windows(windows, 4)
    queries = history.before(torch.tensor([0]), torch.tensor([3]))
    scorer = Scorer(
        NetworkScorer(table, len(table)), None, history.plays, queries, Output(layer, states.flatten(0, 1))
    )
    scores = scorer.catalogue(states[:, 2])
    once = (9 * 2 + 0.4 * 2) * 3  # item 2: W_played h = 2 * 4 + 1, W_plays h = 0.4, its state 2, alpha 3
    twice = (9 * 1 + 0.4 * (1 + 4) / 2) * math.log(2)
    torch.testing.assert_close(scores, torch.tensor([[0.0, twice, once, 4 * 3]]))


@pytest.mark.parametrize("model", OURS)
@pytest.mark.parametrize("head", ["none", "softmax"])
def test_scores_are_those_of_the_formula(toy, model, head):
    experiment = build(model, toy, **{**COUNTNET, "popularity_head": head}, initializer="xavier")
    model, batch = experiment.model, next(iter(experiment.test_data))[0]
    with torch.no_grad():
        windows, states, last = model.encoded(batch)
        if model.__class__.__name__ != "PopBERT4Rec":
            torch.testing.assert_close(states[torch.arange(len(last)), last], model.last_hidden(batch))
        scorer = model.network_scorer()
        expected = torch.stack(
            [
                by_formula(model.output, scorer.table, scorer.bias, windows, states, row, int(end))
                for row, end in enumerate(last)
            ]
        )
        torch.testing.assert_close(model.network_scores(batch), expected)
        if head != "none":
            expected = expected + PopularityHead(model.n_items)(windows)
        torch.testing.assert_close(model.full_sort_predict(batch), expected)
        torch.testing.assert_close(sum(model.term_scores(batch).values()), expected)
        chosen = expected.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(model.predict(batch), chosen)


def test_every_position_is_trained_on_the_formula(toy):
    experiment = build("PopSASRec", {**toy, **NO_DROPOUT, "train_batch_size": 3}, **COUNTNET)
    model, batch = experiment.model, next(iter(experiment.train_data))
    following = batch["next_items"]
    windows, states, _ = model.encoded(batch)
    rows, positions = torch.nonzero(following, as_tuple=True)
    table = model.item_embedding.weight
    scores = [
        by_formula(model.output, table, None, windows, states, row, position)
        for row, position in zip(rows.tolist(), positions.tolist())
    ]
    expected = cross_entropy(torch.stack(scores), following[rows, positions])
    loss = model.calculate_loss(batch)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.output.parameters())


@given(st.integers(0, 10_000))
def test_candidates_have_the_scores_that_the_catalogue_has(seed):
    random = torch.Generator().manual_seed(seed)
    n_items, size, shape = 7, 3, (4, 5)
    windows = torch.randint(0, n_items + 1, shape, generator=random)  # n_items is a mask
    states = torch.randn(*shape, size, generator=random)
    table, bias = torch.randn(n_items, size, generator=random), torch.randn(n_items, generator=random)
    rows = torch.tensor([0, 0, 1, 3])
    history = HeadHistory.of_windows(windows, n_items)
    queries = history.before(rows, torch.tensor([2, 5, 4, 1]))
    hidden = torch.randn(len(rows), size, generator=random)
    scorer = Scorer(
        NetworkScorer(table, len(table), bias, (torch.tensor(0.5),)),
        PopularityHead(n_items),
        history.plays,
        queries,
        Output(CountNet(size), states.flatten(0, 1)),
    )
    with torch.no_grad():
        all_scores = scorer.catalogue(hidden)
        items = torch.randint(1, n_items, (len(rows), 6), generator=random)
        torch.testing.assert_close(scorer.candidates(hidden, items), all_scores.gather(1, items))
        torch.testing.assert_close(scorer.shared(hidden, items[:1]), all_scores[:, items[0]])
        torch.testing.assert_close(scorer.shared(hidden, items), all_scores.gather(1, items[rows]))
        torch.testing.assert_close(scorer.at(torch.tensor([2])).catalogue(hidden[2:3]), all_scores[2:3])


@pytest.mark.parametrize("loss_type", ["SampledCE", "BPR", "gBCE"])
@pytest.mark.parametrize("model", OURS)
def test_it_learns_by_all_losses(toy, model, loss_type):
    experiment = build(model, toy, output="countnet", loss_type=loss_type, negatives=4)
    loss = experiment.model.calculate_loss(next(iter(experiment.train_data)))
    loss.backward()
    assert loss.isfinite()
    assert experiment.model.output.new.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"popularity_head": "replay"}, "leave out output: countnet"),
        ({"pps_history": "full"}, "say --pps_history=window"),
        ({"output": "countnets"}, "output.*product, countnet"),
    ],
)
def test_what_does_not_go_together_is_refused(toy, more, message):
    with pytest.raises(UsageError, match=message):
        Config("PopSASRec", config_dict={**toy, "output": "countnet", **more}, argv=())


def test_a_model_without_states_of_all_positions_says_so(toy):
    made = type("PopGRU", (PopularityAware, GRU4Rec), {})
    settings = {**toy, "embedding_size": 8, "num_layers": 1, "dropout_prob": 0.0, "train_targets": "next"}
    files = [properties.FOLDER / "model" / "PopSASRec.yaml"]
    experiment = prepare(Config(made, None, files, {**settings, "output": "countnet"}, argv=()))
    with pytest.raises(UsageError, match="which PopGRU does not give"):
        experiment.model.full_sort_predict(next(iter(experiment.test_data))[0])
