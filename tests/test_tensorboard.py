from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import GTS, build
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recbole_popaware.curves import Sample, mean_deviation, mean_scores, score_curves, term_curves
from recbole_popaware.quick_start import run_recbole_popaware

SCORES = {f"scores/{source}/{of}" for source in ("network", "popularity") for of in ("targets", "others")}


def curves(folder) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_means_are_those_of_targets_and_of_all_others():
    scores = torch.tensor([[9.0, 1, 2, 3], [9, 4, 5, 6]])  # column 0 is padding
    means = mean_scores(scores, torch.tensor([0, 1, 1]), torch.tensor([3, 1, 2]))
    assert means == {"targets": (3 + 4 + 5) / 3, "others": (1 + 2 + 6) / 3}


def test_every_measure_of_every_epoch_is_shown(toy):
    result = run_recbole_popaware("PopSASRec", config_dict={**toy, "epochs": 3, "tensorboard_dir": "curves"})
    shown = curves("curves")
    assert {"Loss/Train", "Vaild_score", "valid/ndcg_at_10", "valid/recall_at_10", *SCORES} <= set(shown)
    assert [step for step, _ in shown["hidden/mean_cosine"]] == [0, 1, 2]
    assert all([step for step, _ in shown[tag]] == [0, 1, 2] for tag in ("valid/mrr_at_10", *SCORES))
    best = max(value for _, value in shown["valid/ndcg_at_10"])
    assert best == pytest.approx(result["best_valid_result"]["ndcg@10"])
    assert not Path("log_tensorboard").exists() or not list(Path("log_tensorboard").rglob("events*"))


def test_a_model_without_a_head_shows_its_measures_only(toy):
    for model, more in (("GRU4Rec", {}), ("PopSASRec", {"popularity_head": "none"})):
        run_recbole_popaware(model, config_dict={**toy, **more, "tensorboard_dir": f"of_{model}"})
        tags = set(curves(f"of_{model}"))
        assert "valid/ndcg_at_10" in tags
        assert not tags & SCORES


def test_the_curves_add_up_to_the_model_s_scores(toy):
    experiment = build("PopBERT4Rec", toy)
    interaction, _, rows, items = next(iter(experiment.valid_data))
    means = score_curves(Sample(experiment.model, interaction, rows, items, steps=0))
    whole = mean_scores(experiment.model.full_sort_predict(interaction), rows, items)
    for of, mean in whole.items():
        parts = means[f"scores/network/{of}"] + means[f"scores/popularity/{of}"]
        assert parts == pytest.approx(mean, rel=1e-4)


def test_a_deviation_is_over_what_is_not_0_and_a_mean_over_rows():
    scores = torch.tensor([[0.0, 1, 3, 0, 5], [2, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
    assert mean_deviation(scores) == pytest.approx(((4 + 0 + 4) / 3) ** 0.5 / 3)


def test_every_epoch_shows_how_much_each_term_matters(toy):
    settings = {**toy, "eval_args": GTS, "epochs": 2, "tensorboard_dir": "curves"}
    run_recbole_popaware("PopOnly", config_dict=settings)
    shown = curves("curves")
    terms = {tag: dict(shown[tag]) for tag in shown if tag.startswith("terms/")}
    assert set(terms) == {"terms/count", "terms/record", "terms/order", "terms/spread", "terms/new"}
    assert all(set(values) == {0, 1} for values in terms.values())
    assert terms["terms/record"][1] > 0
    assert terms["terms/count"][0] == terms["terms/count"][1] > 0  # the faded count is not learned


def test_terms_that_correct_nothing_yet_are_at_0(toy):
    experiment = build("PopOnly", toy, eval_args=GTS)
    interaction, _, rows, items = next(iter(experiment.valid_data))
    terms = term_curves(Sample(experiment.model, interaction, rows, items, steps=0))
    assert terms["terms/record"] == terms["terms/order"] == terms["terms/spread"] == 0 < terms["terms/count"]
    assert term_curves(Sample(build("MostPop", toy).model, interaction, rows, items, steps=0)) == {}


@pytest.mark.parametrize("targets", ["all", "next"])
def test_looking_changes_nothing(toy, monkeypatch, targets):
    settings = {**toy, "epochs": 2, "train_targets": targets}
    watched = run_recbole_popaware("PopSASRec", config_dict=settings)
    monkeypatch.setattr("recbole_popaware.trainer.score_curves", lambda *_: {})
    blind = run_recbole_popaware("PopSASRec", config_dict=settings)
    assert watched["test_result"] == blind["test_result"]


def test_a_validation_on_sampled_items_shows_its_measures_only(toy):
    sampled = {"eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni5"}}
    run_recbole_popaware("PopSASRec", config_dict={**toy, **sampled, "tensorboard_dir": "curves"})
    tags = set(curves("curves"))
    assert "valid/ndcg_at_10" in tags
    assert not tags & SCORES


def test_of_several_weights_the_fullest_is_shown_and_its_first_batch_only(toy, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "recbole_popaware.trainer.score_curves",
        lambda sample: seen.append(sample.model.inference_weight.item()) or {},
    )
    weighed = {"network_weights": [0.25, 1.0, 0.5], "epochs": 2, "eval_batch_size": 2}
    run_recbole_popaware("PopSASRec", config_dict={**toy, **weighed})
    assert seen == [1.0, 1.0]
