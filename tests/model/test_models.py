from __future__ import annotations

import pytest
import torch
from helpers import build
from recbole.model.sequential_recommender import NARM, STAMP, BERT4Rec, GRU4Rec
from torch import nn
from torch.nn.functional import cross_entropy

from recbole_popaware import properties
from recbole_popaware.config import Config
from recbole_popaware.model import losses, pieces
from recbole_popaware.model.encoder import embed, encode
from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.model.popularity_head import FORMS, PopularityHead
from recbole_popaware.model.reference import count_plays, head_scores
from recbole_popaware.quick_start import prepare

PAIRS = [("SASRec", "PopSASRec"), ("BERT4Rec", "PopBERT4Rec")]
SAME_TRAINING = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "train_batch_size": 64}


@pytest.mark.parametrize(("stock", "ours"), PAIRS)
def test_without_the_head_weights_and_scores_are_stock_s(toy, stock, ours):
    expected, actual = build(stock, toy), build(ours, toy, popularity_head="none", initializer="normal")
    weights, stock_weights = actual.model.state_dict(), expected.model.state_dict()
    assert weights.keys() == stock_weights.keys()
    assert all(torch.equal(weights[name], stock_weights[name]) for name in weights)
    batch = next(iter(expected.test_data))[0]
    with torch.no_grad():
        for method in ("full_sort_predict", "predict"):
            one, other = (getattr(e.model, method)(batch) for e in (actual, expected))
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_without_the_head_loss_and_gradients_are_stock_s(toy):
    results = []
    for name in ("SASRec", "PopSASRec"):
        as_stock = {"popularity_head": "none", "train_targets": "next", "initializer": "normal"}
        extra = {} if name == "SASRec" else as_stock
        experiment = build(name, {**toy, **SAME_TRAINING}, **extra)
        loss = experiment.model.calculate_loss(next(iter(experiment.train_data)))
        loss.backward()
        results.append([loss, *(p.grad for p in experiment.model.parameters())])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(("stock", "ours"), PAIRS)
def test_scores_are_stock_plus_head(toy, stock, ours, form):
    settings = {"popularity_head": form, "pps_epsilon": 0.3, "initializer": "normal"}
    plain, aware = build(stock, toy), build(ours, toy, **settings)
    batch = next(iter(aware.test_data))[0]
    with torch.no_grad():
        expected = plain.model.full_sort_predict(batch) + PopularityHead(plain.model.n_items, form, 0.3)(
            batch["item_id_list"]
        )
        torch.testing.assert_close(aware.model.full_sort_predict(batch), expected)
        chosen = expected.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(aware.model.predict(batch), chosen)


def dense_scores(model, windows):
    """Scores of all items at each position of windows, the head's over the plays up to it: ``[B, L, N]``."""
    hidden = encode(model.trm_encoder, embed(model, windows), None)
    table = model.item_embedding if model.output_embedding is None else model.output_embedding
    counts, head = count_plays(windows, model.n_items), model.popularity_head
    return hidden @ table.weight.T + head_scores(counts, counts, head.form, head.epsilon).float()


@pytest.mark.parametrize("stock", [GRU4Rec, NARM, STAMP])
def test_the_mixin_goes_before_other_sequential_models(toy, stock):
    """A model made here has its stock scores plus the head's, and learns their cross-entropy."""
    sizes = {"embedding_size": 8, "num_layers": 1}
    dropout = {"dropout_prob": 0.0, "dropout_probs": [0.0, 0.0], "train_targets": "next"}
    settings = {**toy, **sizes, **dropout}
    files = [properties.FOLDER / "model" / "PopSASRec.yaml"]
    made = type(f"Pop{stock.__name__}", (PopularityAware, stock), {})
    experiment = prepare(Config(made, None, files, settings, argv=()))
    model, batch = experiment.model.eval(), next(iter(experiment.train_data))
    head = PopularityHead(model.n_items)(batch["item_id_list"])
    expected = stock.full_sort_predict(model, batch) + head
    torch.testing.assert_close(model.full_sort_predict(batch), expected)
    torch.testing.assert_close(model.calculate_loss(batch), cross_entropy(expected, batch["item_id"]))


class ByNumber(nn.Module):
    """A head that scores items by their number and knows nobody's plays."""

    def candidates(self, plays, queries, candidates, by_row=False):
        return 0.1 * (candidates[queries.rows] if by_row else candidates)

    def add_to_(self, scores, plays, queries):
        return scores.add_(0.1 * torch.arange(scores.size(1)))


@pytest.mark.parametrize("shared", [True, "window", False])
@pytest.mark.parametrize("loss_type", ["CE", "BPR"])
def test_any_module_with_two_methods_is_a_head(toy, loss_type, shared):
    settings = {"loss_type": loss_type, "shared_negatives": shared, "negatives": 6}
    plain = build("PopSASRec", toy, **settings, popularity_head="none", learn_network_weight=True)
    batch, model = next(iter(plain.train_data)), plain.model
    model.network_weight.data.fill_(0.0)  # scores are those of the head alone
    model.popularity_head = ByNumber()
    scores = 0.1 * torch.arange(model.n_items)
    torch.testing.assert_close(model.full_sort_predict(batch), scores.expand(len(batch), -1))
    torch.testing.assert_close(model.predict(batch), scores[batch["item_id"]])
    targets = model.training_targets(batch).items
    if loss_type == "CE":
        expected = cross_entropy(scores.expand(len(targets), -1), targets)
    else:
        torch.manual_seed(3)
        drawn = model.objective.negatives({True: 1, "window": len(batch), False: len(targets)}[shared])
        rows = model.training_targets(batch).queries.rows
        items = (drawn.of_rows(rows) if shared == "window" else drawn).items.expand(len(targets), -1)
        expected = losses.bpr(scores[targets], scores[items], items != targets[:, None]).mean()
    torch.manual_seed(3)
    torch.testing.assert_close(model.calculate_loss(batch), expected)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("targets", ["all", "next"])
def test_ce_is_the_cross_entropy_of_the_summed_scores(toy, targets, share):
    experiment = build("PopSASRec", toy, train_targets=targets, share_embeddings=share)
    model, batch = experiment.model, next(iter(experiment.train_data))
    if targets == "next":
        expected = cross_entropy(model.full_sort_predict(batch), batch["item_id"])
    else:
        following = batch["next_items"]
        assert (following > 0).sum() > len(following)
        scores = dense_scores(model, batch["item_id_list"])
        expected = cross_entropy(scores[following > 0], following[following > 0])
    torch.testing.assert_close(model.calculate_loss(batch), expected)


@pytest.mark.parametrize("loss_type", ["SampledCE", "BPR", "BCE", "gBCE"])
@pytest.mark.parametrize("shared", [True, "window", False])
@pytest.mark.parametrize("calibrated", [True, False])
def test_sampled_losses_are_those_of_the_summed_scores(toy, loss_type, shared, calibrated):
    settings = {"loss_type": loss_type, "shared_negatives": shared, "negatives": 6}
    settings.update(calibrated_start=calibrated, negative_sampling="log_uniform")
    experiment = build("PopSASRec", toy, **settings)
    model, batch = experiment.model, next(iter(experiment.train_data))
    windows, following = batch["item_id_list"], batch["next_items"]
    scores = dense_scores(model, windows)[following > 0]
    targets = following[following > 0]
    torch.manual_seed(3)
    drawn = model.objective.negatives({True: 1, "window": len(windows), False: len(targets)}[shared])
    rows = torch.nonzero(following)[:, 0]
    drawn = drawn.of_rows(rows) if shared == "window" else drawn
    items = drawn.items.expand(len(targets), -1)
    positive, negative = scores.gather(1, targets[:, None]).squeeze(1), scores.gather(1, items)
    mask = items != targets[:, None]
    if calibrated and "BCE" in loss_type:
        level = losses.calibration_level(model.objective.beta, model.n_items - 1, normalised=True)
        positive = positive + level - model.objective.negatives.log_expected_of(targets)
        negative = negative + level - model.objective.negatives.log_expected_of(items)
    expected = {
        "SampledCE": lambda: losses.sampled_ce(positive, negative, mask, drawn.log_expected),
        "BPR": lambda: losses.bpr(positive, negative, mask),
        "BCE": lambda: losses.bce(positive, negative, mask),
        "gBCE": lambda: losses.bce(positive, negative, mask, model.objective.beta),
    }[loss_type]().mean()
    torch.manual_seed(3)
    torch.testing.assert_close(model.calculate_loss(batch), expected)
    assert model.popularity_head.form == ("sigmoid" if "BCE" in loss_type else "softmax")


@pytest.mark.parametrize("settings", [{"loss_type": "CE"}, {"loss_type": "gBCE", "shared_negatives": False}])
def test_pieces_of_a_batch_give_the_same_loss_and_gradients(toy, settings, monkeypatch):
    experiment = build("PopSASRec", toy, **settings)
    model, batch = experiment.model, next(iter(experiment.train_data))
    results = []
    for size in (pieces.SCORES_AT_ONCE, 200):
        monkeypatch.setattr(pieces, "SCORES_AT_ONCE", size)
        torch.manual_seed(3)
        model.zero_grad()
        loss = model.calculate_loss(batch)
        loss.backward()
        results.append([loss, *(p.grad.clone() for p in model.parameters())])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("targets", ["all", "next"])
def test_popbert4rec_loss_equals_a_loop_over_masked_positions(toy, targets):
    model = (experiment := build("PopBERT4Rec", toy, train_targets=targets, mask_ratio=0.4)).model
    batch = next(iter(experiment.train_data))
    torch.manual_seed(5)
    draw, ends = torch.rand(batch["item_id_list"].shape), torch.rand(len(batch), 1)
    expected = []
    for row in range(len(batch)):
        length = int(batch["item_length"][row])
        window = [*batch["item_id_list"][row, 1:length].tolist(), int(batch["item_id"][row])]
        masked = [bool(draw[row, p] < 0.4) for p in range(length)]
        masked[-1] |= bool(ends[row] < model.mask_last)
        seen = [model.mask_token if hidden else item for item, hidden in zip(window, masked)]
        seen = torch.tensor([seen + [0] * (model.max_seq_length - length)])
        scores = model(seen)[0] @ model.item_embedding.weight[: model.n_items].T + model.output_bias
        scores = scores + model.popularity_head(seen)
        expected += [cross_entropy(scores[p], torch.tensor(window[p])) for p in range(length) if masked[p]]
    torch.manual_seed(5)
    torch.testing.assert_close(model.calculate_loss(batch), torch.stack(expected).mean())


def test_a_mask_at_the_first_position_is_a_target(toy):
    model = build("PopBERT4Rec", toy).model
    windows = torch.tensor([[3, 0, 0, 0, 0, 0, 0, 0]])
    assert model._choose(windows, torch.tensor([0])).tolist() == [[True] + [False] * 7]


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec"])
def test_half_precision_trains(toy, model):
    experiment = build(model, toy)
    batch = next(iter(experiment.train_data))
    torch.manual_seed(1)
    expected = experiment.model.calculate_loss(batch)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        loss = experiment.model.calculate_loss(batch)
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, atol=0.05, rtol=0.05)


def test_popbert4rec_does_not_count_the_masked_label(toy):
    model = build("PopBERT4Rec", toy).model
    masked = torch.tensor([[3, model.mask_token, 5, 0]])
    torch.testing.assert_close(
        model.popularity_head(masked), model.popularity_head(torch.tensor([[3, 5, 0, 0]]))
    )


def test_popbert4rec_masks_as_stock_does(toy):
    model = build("PopBERT4Rec", toy).model
    lengths = torch.tensor([1, 3, 8])
    windows = torch.randint(1, 9, (3, 8)) * (torch.arange(8) < lengths.unsqueeze(1))
    expected = BERT4Rec.reconstruct_test_data(model, windows, lengths)
    assert torch.equal(model.reconstruct_test_data(windows, lengths), expected)


@pytest.mark.parametrize("loss_type", ["BCE", "gBCE"])
@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec"])
def test_no_other_level_would_be_a_better_start(toy, model, loss_type):
    settings = {"popularity_head": "none", "loss_type": loss_type, "negatives": 9}
    experiment = build(model, toy, **settings)
    batch = next(iter(experiment.train_data))
    losses_of, start = [], experiment.model.objective.level
    for change in (-1.0, 0.0, 1.0, -start):
        experiment.model.objective.level = start + change
        torch.manual_seed(3)
        losses_of.append(float(experiment.model.calculate_loss(batch)))
    assert losses_of.index(min(losses_of)) == 1


def test_linear_layers_are_drawn_by_their_width_on_request_and_embeddings_are_not(toy):
    stock, drawn = (build("PopSASRec", toy, initializer=i).model.state_dict() for i in ("normal", "xavier"))
    for name, weight in drawn.items():
        linear = weight.dim() == 2 and "embedding" not in name
        assert torch.equal(weight, stock[name]) != linear, name
        if linear:
            bound = (6 / sum(weight.shape)) ** 0.5
            assert 0.8 * bound < weight.abs().max() <= bound, name


def test_weights_are_drawn_as_pytorch_does_on_request(toy):
    model = build("PopSASRec", toy, initializer="torch", share_embeddings=False, hidden_size=64).model
    for table in (model.item_embedding, model.output_embedding):
        assert table.weight[0].abs().max() == 0, "padding"
        assert 0.8 < table.weight[1:].std() < 1.2
    first = model.trm_encoder.layer[0].feed_forward.dense_1.weight
    assert 0.9 * 64**-0.5 < first.abs().max() <= 64**-0.5
