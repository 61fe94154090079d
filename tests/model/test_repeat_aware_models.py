"""RecBole's own models of repeats run an epoch under our trainer and evaluation, under both splits."""

from __future__ import annotations

import pytest
from helpers import GTS, SMALL, looping_plays, write_atomic

from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware

LEAVE_ONE_OUT = {"split": {"LS": "valid_and_test"}, "order": "TO"}


@pytest.mark.parametrize("eval_args", [GTS, LEAVE_ONE_OUT], ids=["GTS", "leave-one-out"])
@pytest.mark.parametrize("model", ["RepeatNet", "SASRecCPR"])
def test_a_model_trains_is_evaluated_and_loaded_again(tmp_path, model, eval_args):
    plays = looping_plays()
    write_atomic(tmp_path, "toy", plays)
    settings = {
        **{**SMALL, "embedding_size": 8, "reranker_CAN_NUM": "5"},  # fewer than there are items
        **{"data_path": str(tmp_path), "dataset": "toy", "eval_args": eval_args, "topk": [5]},
        "metrics": ["Recall", "RepeatRecall", "ExploreRecall"],
        "valid_metric": "Recall@5",
    }
    result = run_recbole_popaware(model, config_dict=settings)
    assert result["epochs"] == 1
    assert 0 < result["test_result"]["recall@5"] < 1
    assert result["test_result"]["repeatrecall@5"] > 0
    loaded = load_data_and_model(result["checkpoint"])
    part = loaded.test_data.dataset
    assert (part.targets is not None) == ("GTS" in eval_args["split"])
