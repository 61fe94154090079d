from __future__ import annotations

import pytest
from helpers import SMALL, write_atomic

from recbole_popaware.quick_start import run_recbole_popaware

OURS = ["PopSASRec", "PopGSASRec", "PopBERT4Rec", "MostPop", "PersonalizedMostPop", "DecayedMostPop"]
STOCK = ["SASRec", "BERT4Rec", "GRU4Rec", "NARM", "STAMP", "RepeatNet", "SASRecCPR", "FPMC"]


@pytest.mark.parametrize("model", [*OURS, *STOCK])
def test_a_model_trains_and_is_evaluated(toy, model):
    few_items = {"reranker_CAN_NUM": 5}  # SASRecCPR re-ranks 100 candidates by default
    result = run_recbole_popaware(model, config_dict={**toy, **few_items})
    assert result["model"] == model
    assert set(result["test_result"]) == {"recall@10", "ndcg@10", "mrr@10"}
    assert 0 <= result["test_result"]["ndcg@10"] <= result["test_result"]["recall@10"] <= 1


@pytest.mark.parametrize("model", ["PopSASRec", "PopBERT4Rec", "GRU4Rec"])
def test_the_same_command_gives_the_same_numbers_twice(toy, model):
    first, second = (run_recbole_popaware(model, config_dict={**toy, "epochs": 2}) for _ in "12")
    for part in ("best_valid_result", "test_result"):
        assert first[part] == second[part]


def test_a_known_answer(tmp_path):
    """Every user has a favourite and ends with it: personal models know at once."""
    plays = [
        (f"u{user}", f"i{user % 20 if play % 4 else (user + play) % 20}", 60 * play)
        for user in range(40)
        for play in range(15)
    ]
    write_atomic(tmp_path, "own", plays)
    settings = {
        **SMALL,
        "data_path": str(tmp_path),
        "dataset": "own",
        "topk": [1],
        "valid_metric": "Recall@1",
    }
    settings["metrics"] = ["Recall"]
    recall = {
        m: run_recbole_popaware(m, config_dict=settings)["test_result"]["recall@1"] for m in (*OURS, "SASRec")
    }
    assert recall["PersonalizedMostPop"] == recall["PopSASRec"] == recall["PopBERT4Rec"] == 1.0
    assert recall["MostPop"] < 0.2
    assert recall["SASRec"] < recall["PopSASRec"]


@pytest.mark.parametrize("split", [{"RS": [0.8, 0.1, 0.1]}, {"LS": "valid_and_test"}, {"LS": "test_only"}])
def test_recbole_s_splits_work(toy, split):
    result = run_recbole_popaware(
        "PopSASRec", config_dict={**toy, "eval_args": {"split": split, "order": "TO"}}
    )
    assert result["test_result"]["ndcg@10"] > 0


def test_sampled_negatives_work_in_evaluation(toy):
    args = {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "uni5"}
    for model in OURS:
        assert run_recbole_popaware(model, config_dict={**toy, "eval_args": args})["test_result"]


def test_without_saving_no_checkpoint_is_named(toy, tmp_path):
    assert run_recbole_popaware("MostPop", config_dict=toy, saved=False)["checkpoint"] is None
    assert not list((tmp_path / "saved").iterdir())


@pytest.mark.parametrize("model", ["PopSASRec", "PopGSASRec", "PopBERT4Rec"])
def test_half_precision_trains_through_recbole_s_trainer(toy, model):
    result = run_recbole_popaware(model, config_dict={**toy, "enable_amp": True, "epochs": 2, "negatives": 4})
    assert 0 <= result["test_result"]["ndcg@10"] <= 1
    assert result["epochs"] == 2
