"""RecBole's general models under the splits of sequential ones: they train, are saved, and are read again."""

from __future__ import annotations

import pkgutil
import sys

import pytest
import recbole.model.general_recommender
import torch
from helpers import SMALL, looping_plays, write_atomic
from recbole.utils import init_seed

from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware, train

SPLITS = {"gts": {"GTS": [0.6, 0.2, 0.2]}, "ls": {"LS": "valid_and_test"}}
KEEP_MATRICES = ("AsymKNN", "EASE", "ItemKNN", "SLIMElastic")
FILL_DOK_MATRICES = ("GCMC", "LightGCN", "NGCF", "SpectralCF")  # and NCL
FAST = (*KEEP_MATRICES, *FILL_DOK_MATRICES, "BPR", "LINE", "MultiVAE", "NeuMF", "Pop", "RecVAE")
OTHERS = (
    *("ADMMSLIM", "CDAE", "ConvNCF", "DGCF", "DiffRec", "DMF", "ENMF", "FISM", "LDiffRec", "MacridVAE"),
    *("MultiDAE", "NAIS", "NCEPLRec", "NCL", "NNCF", "RaCT", "Random", "SGL", "SimpleX"),
)


@pytest.fixture
def settings(tmp_path):
    plays = sorted(looping_plays(n_users=20, n_items=40), key=lambda play: play[2])
    ratings = [2, 1, 1, -1, 1]
    write_atomic(tmp_path, "toy", [(*play, ratings[n % 5]) for n, play in enumerate(plays)])
    sizes = {"embedding_size": 64, "pretrain_epochs": 1, "save_step": 1}
    return {**SMALL, **sizes, "data_path": str(tmp_path), "dataset": "toy"}


def check(name, split, settings):
    """Train, and compare the scores of the trained model with those of its checkpoint."""
    eval_args = {"split": SPLITS[split], "order": "TO"}
    trained = train(Config(name, config_dict={**settings, "eval_args": eval_args}, argv=()))
    assert 0 <= trained.result["test_result"]["recall@10"] <= 1
    loaded = load_data_and_model(trained.result["checkpoint"])
    batch = next(iter(loaded.test_data))[0]
    assert torch.allclose(*(scores(model, batch) for model in (trained.trainer.model, loaded.model)))


def scores(model, batch):
    init_seed(0, True)  # some add noise
    model.eval()
    try:
        return model.full_sort_predict(batch)
    except NotImplementedError:
        return model.predict(batch)


@pytest.mark.parametrize("model", FAST)
def test_a_model_trains_under_gts_and_its_checkpoint_scores_alike(settings, model):
    check(model, "gts", settings)


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("model", [*FAST, *OTHERS])
def test_every_model_trains_under_both_splits(settings, model, split):
    if model == "NCL":
        pytest.importorskip("faiss")
    check(model, split, settings)


def test_a_model_says_which_package_it_lacks(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UsageError, match=r"NCL needs the package \[faiss\], which is not installed"):
        run_recbole_popaware("NCL", config_dict={**settings, "eval_args": {"split": SPLITS["gts"]}})


def test_no_general_model_of_recbole_is_forgotten():
    names = {module.name for module in pkgutil.iter_modules(recbole.model.general_recommender.__path__)}
    assert {model.lower() for model in (*FAST, *OTHERS)} == names
