from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from helpers import build

from recbole_popaware.errors import UsageError
from recbole_popaware.fusion import WeightTrials
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.utils import get_trainer

WEIGHTS = [0.0, 0.1, 1.0]
NETWORKS = ["PopSASRec", "PopGSASRec", "PopBERT4Rec"]


def scores_with(model, batch, weight):
    model.inference_weight.fill_(weight)
    return model.eval().full_sort_predict(batch)


@pytest.mark.parametrize("model", NETWORKS)
def test_the_weight_multiplies_the_network_in_inference(toy, model):
    experiment = build(model, toy, network_weights=WEIGHTS, negatives=4)
    model, batch = experiment.model, next(iter(experiment.test_data))[0]
    head = model.popularity_scores(batch)
    with torch.no_grad():
        network = scores_with(model, batch, 1.0) - head
        torch.testing.assert_close(scores_with(model, batch, 0.3), 0.3 * network + head)
        items = batch[model.ITEM_ID]
        expected = scores_with(model, batch, 0.3)[torch.arange(len(items)), items]
        torch.testing.assert_close(model.predict(batch), expected)


def test_training_does_not_see_it(toy):
    losses = []
    for weights in ([], [0.0]):
        experiment = build(
            "PopSASRec", toy, network_weights=weights, hidden_dropout_prob=0.0, attn_dropout_prob=0.0
        )
        model = experiment.model.train()
        if weights:
            model.inference_weight.fill_(0.0)
        losses.append(model.calculate_loss(next(iter(experiment.train_data))))
    assert torch.equal(*losses)


def test_the_best_weight_on_the_validation_part_is_kept(toy):
    experiment = build("PopSASRec", toy, network_weights=WEIGHTS)
    trainer = get_trainer(experiment.config["MODEL_TYPE"], "PopSASRec")(experiment.config, experiment.model)
    trainer.eval_collector.data_collect(experiment.train_data)
    with torch.no_grad():  # a network that knows nothing, so that listening to it must cost
        for parameter in experiment.model.parameters():
            parameter.normal_(std=5.0)
    score, result = trainer._valid_epoch(experiment.valid_data)
    scores = []
    kept = experiment.model.inference_weight.item()
    for weight in WEIGHTS:
        experiment.model.inference_weight.fill_(weight)
        scores.append(trainer.evaluate(experiment.valid_data, load_best_model=False)["ndcg@10"])
    assert len(set(scores)) > 1, "the weights must differ for this test to say anything"
    assert kept == pytest.approx(max(w for w, s in zip(WEIGHTS, scores) if s == max(scores)))
    assert result["ndcg@10"] == score == max(scores)


@pytest.mark.parametrize(("bigger", "best"), [(True, 0.25), (False, 1.0)])
def test_of_equal_scores_the_largest_weight_is_kept(bigger, best):
    model = SimpleNamespace(inference_weight=torch.ones(()))
    scores = {1.0: 1.0, 0.5: 1.0, 0.25: 3.0, 0.125: 3.0}
    tried = []

    def validate():
        tried.append(model.inference_weight.item())
        return scores[tried[-1]], {"weight": tried[-1]}

    score, result = WeightTrials(model, [0.25, 1.0, 0.125, 0.5], bigger)(validate)
    assert tried == [1.0, 0.5, 0.25, 0.125]
    assert (score, result) == (scores[best], {"weight": best})
    assert model.inference_weight.item() == best


def test_a_checkpoint_has_it(toy):
    result = run_recbole_popaware("PopSASRec", config_dict={**toy, "network_weights": [0.3], "epochs": 2})
    loaded = load_data_and_model(result["checkpoint"])
    assert loaded.model.inference_weight.item() == pytest.approx(0.3)
    trainer = get_trainer(loaded.config["MODEL_TYPE"], "PopSASRec")(loaded.config, loaded.model)
    assert trainer.evaluate(loaded.test_data, load_best_model=False) == result["test_result"]


def test_without_weights_the_state_is_the_stock_one(toy):
    assert "inference_weight" not in build("PopSASRec", toy).model.state_dict()


@pytest.mark.parametrize("weights", [0.3, [-1], ["a"], [float("nan")]])
def test_what_are_no_weights_is_refused(toy, weights):
    with pytest.raises(UsageError, match="network_weights"):
        build("PopSASRec", toy, network_weights=weights)
