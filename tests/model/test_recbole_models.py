"""RecBole's own sequential models on our data path: the global temporal split with many targets."""

from __future__ import annotations

import pkgutil

import pytest
import recbole.model.sequential_recommender
from helpers import NEED_ITEM_IDS_ONLY, SMALL, looping_plays, write_atomic

from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware
from recbole_popaware.utils import MODELS

NEED_ITEM_FEATURES = ("FDSA", "GRU4RecF", "S3Rec", "SASRecF")
HAVE_A_CLASS_OF_THEIR_OWN = ("DIEN", "GRU4RecKG", "KSR")


@pytest.fixture
def settings(tmp_path):
    plays = sorted(looping_plays(n_users=20), key=lambda play: play[2])
    ratings = [2, 1, 1, -1, 1]
    write_atomic(tmp_path, "toy", [(*play, ratings[n % 5]) for n, play in enumerate(plays)])
    return {
        **SMALL,
        "n_layers": 2,
        "embedding_size": 8,
        "reranker_CAN_NUM": "5",  # of the CPR models, whose own 100 is more than there are items
        "data_path": str(tmp_path),
        "dataset": "toy",
        "eval_args": {"split": {"GTS": [0.6, 0.2, 0.2]}, "order": "TO"},
    }


@pytest.mark.slow
@pytest.mark.parametrize("model", [*NEED_ITEM_IDS_ONLY, *MODELS])
def test_a_model_trains_and_is_evaluated_on_many_targets(settings, model):
    result = run_recbole_popaware(model, config_dict=settings)
    loaded = load_data_and_model(result["checkpoint"])
    assert 0 < result["test_result"]["recall@10"] <= 1
    assert len(loaded.test_data.dataset.targets.items) > len(loaded.test_data.dataset) > 10


@pytest.mark.parametrize("model", NEED_ITEM_FEATURES)
def test_a_model_of_features_says_which_it_misses(settings, model):
    with pytest.raises(UsageError, match=f"{model}.*class"):
        run_recbole_popaware(model, config_dict=settings)


@pytest.mark.parametrize("model", HAVE_A_CLASS_OF_THEIR_OWN)
def test_a_model_with_a_data_set_class_of_its_own_says_so(settings, model):
    with pytest.raises(UsageError, match=f"{model}.*data set class of its own"):
        run_recbole_popaware(model, config_dict=settings)


def test_no_sequential_model_of_recbole_is_forgotten():
    known = {m.lower() for m in (*NEED_ITEM_IDS_ONLY, *NEED_ITEM_FEATURES, *HAVE_A_CLASS_OF_THEIR_OWN)}
    names = {module.name for module in pkgutil.iter_modules(recbole.model.sequential_recommender.__path__)}
    assert known == names
