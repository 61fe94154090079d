from __future__ import annotations

import pytest
import torch
from conftest import build
from recbole.model.sequential_recommender import BERT4Rec
from recbole.utils import init_seed
from torch.nn.functional import cross_entropy

from recbole_popaware.model.popularity_head import FORMS, PopularityHead

PAIRS = [("SASRec", "PopSASRec"), ("BERT4Rec", "PopBERT4Rec")]
SHARED = {"hidden_dropout_prob": 0.3, "attn_dropout_prob": 0.3}


def outputs(experiment):
    """Loss, gradients and scores of one model under a fixed seed."""
    init_seed(11, True)  # the batch draws masks and negatives, the loss draws dropout
    model, batch = experiment.model, next(iter(experiment.train_data))
    model.train()
    loss = model.calculate_loss(batch)
    loss.backward()
    model.eval()
    with torch.no_grad():
        scores = model.full_sort_predict(batch), model.predict(batch)
    return loss, [p.grad for p in model.parameters()], *scores


@pytest.mark.parametrize("loss_type", ["CE", "BPR"])
@pytest.mark.parametrize(("stock", "ours"), PAIRS)
def test_without_the_head_everything_equals_stock_bit_for_bit(toy, stock, ours, loss_type):
    settings = {**toy, **SHARED, "loss_type": loss_type}
    expected = build(stock, settings)
    actual = build(ours, settings, popularity_head="none")
    assert actual.model.state_dict().keys() == expected.model.state_dict().keys()
    for one, other in zip(outputs(actual), outputs(expected)):
        torch.testing.assert_close(one, other, atol=0, rtol=0)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize(("stock", "ours"), PAIRS)
def test_scores_are_stock_plus_head(toy, stock, ours, form):
    plain, aware = build(stock, toy), build(ours, toy, popularity_head=form, pps_epsilon=0.3)
    batch = next(iter(aware.test_data))[0]
    with torch.no_grad():
        expected = plain.model.full_sort_predict(batch) + PopularityHead(plain.model.n_items, form, 0.3)(
            batch["item_id_list"]
        )
        torch.testing.assert_close(aware.model.full_sort_predict(batch), expected)
        chosen = expected.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(aware.model.predict(batch), chosen)


def test_popsasrec_ce_is_the_cross_entropy_of_the_summed_scores(toy):
    experiment = build("PopSASRec", toy)
    batch = next(iter(experiment.train_data))
    expected = cross_entropy(experiment.model.full_sort_predict(batch), batch["item_id"])
    torch.testing.assert_close(experiment.model.calculate_loss(batch), expected)


def test_popsasrec_bpr_compares_the_summed_scores(toy):
    experiment = build("PopSASRec", toy, loss_type="BPR")
    batch = next(iter(experiment.train_data))
    scores = experiment.model.full_sort_predict(batch)
    positive = scores.gather(1, batch["item_id"].unsqueeze(1))
    negative = scores.gather(1, batch["neg_item_id"].unsqueeze(1))
    expected = -torch.log(torch.sigmoid(positive - negative)).mean()
    torch.testing.assert_close(experiment.model.calculate_loss(batch), expected)


@pytest.mark.parametrize("loss_type", ["CE", "BPR"])
def test_popbert4rec_loss_equals_a_loop_over_masked_places(toy, loss_type):
    model = (experiment := build("PopBERT4Rec", toy, loss_type=loss_type, mask_ratio=0.4)).model
    batch = next(iter(experiment.train_data))
    history = batch["Mask_item_id_list"]
    scores = (
        model(history) @ model.item_embedding.weight[: model.n_items].T
        + model.output_bias
        + model.popularity_head(history).unsqueeze(1)
    )
    losses = []
    for row, places in enumerate(batch["MASK_INDEX"]):
        for column, place in enumerate(places.tolist()):
            if place > 0:
                positive = batch["Pos_item_id"][row, column]
                negative = batch["Neg_item_id"][row, column]
                at = scores[row, place]
                losses.append(
                    cross_entropy(at, positive)
                    if loss_type == "CE"
                    else -torch.log(torch.sigmoid(at[positive] - at[negative]))
                )
    torch.testing.assert_close(model.calculate_loss(batch), torch.stack(losses).mean())


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
