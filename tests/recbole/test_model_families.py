"""RecBole's context-aware and knowledge-aware models on data of ml-100k's shape."""

from __future__ import annotations

import importlib.util
import pkgutil

import pytest
import recbole.model.context_aware_recommender
import recbole.model.knowledge_aware_recommender
from ml_shape import KG_LOAD_COL, LOAD_COL, NAME, write_ml_shape

from recbole_popaware.config import Config
from recbole_popaware.data.utils import create_dataset
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware

CONTEXT = (
    *("AFM", "AutoInt", "DCN", "DCNV2", "DeepFM", "DSSM", "EulerNet", "FFM", "FiGNN", "FM", "FNN", "FwFM"),
    *("KD_DAGFM", "LR", "NFM", "PNN", "WideDeep", "xDeepFM"),
)
KNOWLEDGE = ("CFKG", "CKE", "KGCN", "KGNNLS", "KTUP", "MKR", "RippleNet")
NEED_MORE = {"KGAT": "dgl", "KGIN": "torch_scatter", "MCCLK": "torch_scatter"}
VALUES = ["AUC", "LogLoss", "MAE", "RMSE"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_ml_shape(tmp_path_factory.mktemp("data")).parent


@pytest.fixture
def settings(folder):
    more = {"data_path": str(folder), "dataset": NAME, "epochs": 1, "show_progress": False, "state": "ERROR"}
    return {**more, "train_batch_size": 256, "load_col": LOAD_COL, "threshold": {"rating": 4}}


@pytest.fixture
def of_knowledge(settings):
    del settings["threshold"]
    return {**settings, "load_col": KG_LOAD_COL}


def test_no_model_of_the_two_families_is_forgotten():
    packages = recbole.model.context_aware_recommender, recbole.model.knowledge_aware_recommender
    names = {module.name for package in packages for module in pkgutil.iter_modules(package.__path__)}
    assert names == {model.lower() for model in (*CONTEXT, *KNOWLEDGE, *NEED_MORE)}


@pytest.mark.slow
@pytest.mark.parametrize("model", CONTEXT)
def test_a_context_aware_model_trains_and_is_evaluated(settings, model):
    result = run_recbole_popaware(model, config_dict=settings)
    assert 0 < result["test_result"]["auc"] < 1
    assert result["best_valid_score"] == result["best_valid_result"]["auc"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [*KNOWLEDGE, *NEED_MORE])
def test_a_knowledge_aware_model_trains_and_is_evaluated(of_knowledge, model):
    library = NEED_MORE.get(model)
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    result = run_recbole_popaware(model, config_dict=of_knowledge)
    assert 0 < result["test_result"]["recall@10"] <= 1
    load_data_and_model(result["checkpoint"])


@pytest.mark.parametrize("measure", VALUES)
def test_every_measure_of_values_picks_the_best_epoch(settings, measure):
    result = run_recbole_popaware(
        "FM", config_dict={**settings, "metrics": VALUES, "valid_metric": measure, "epochs": 2}
    )
    assert set(result["test_result"]) == {"auc", "logloss", "mae", "rmse"}
    assert result["best_valid_score"] == result["best_valid_result"][measure.lower()]
    assert result["valid_score_bigger"] == (measure == "AUC")


@pytest.mark.parametrize("model", ["BPR", "PopSASRec"])
def test_gauc_has_no_length(settings, model):
    del settings["threshold"]
    measures = {"metrics": ["GAUC", "NDCG"], "valid_metric": "GAUC", "eval_args": {"order": "TO"}}
    result = run_recbole_popaware(model, config_dict={**settings, **measures})
    assert set(result["test_result"]) == {"gauc", "ndcg@10"}
    assert 0 < result["best_valid_score"] < 1


def test_drawn_items_have_labels_too(settings):
    del settings["threshold"]
    drawn = {"train_neg_sample_args": {"distribution": "uniform"}, "eval_args": {"mode": "uni20"}}
    result = run_recbole_popaware("FM", config_dict={**settings, **drawn})
    assert 0 < result["test_result"]["auc"] < 1


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("FM", {"threshold": None}, r"FM needs labels.*no field \[label\].*threshold"),
        ("FM", {"threshold": {"stars": 3}}, "stars"),
        ("FM", {"eval_args": {"mode": "full"}}, "AUC, LogLoss compare scores with labels.*mode: labeled"),
        ("FM", {"valid_metric": "AUC@10"}, r"valid_metric is \[AUC@10\].*one of metrics: auc, logloss"),
        ("FM", {"save_per_user": True}, "save_per_user needs a measure of ranked lists"),
        ("BPR", {"metrics": ["GAUC", "NDCG"], "valid_metric": "GAUC@10"}, r"gauc or ndcg @ .*topk \[10\]"),
        ("BPR", {"train_neg_sample_args": None}, "BPR learns from pairs.*distribution: uniform"),
        ("CKE", {"threshold": None}, r"CKE needs .*\.kg, which load_col leaves out; say load_col"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(settings, model, more, message):
    with pytest.raises(UsageError, match=message) as raised:
        run_recbole_popaware(model, config_dict={**settings, **more})
    assert "\n" not in str(raised.value)


def test_a_knowledge_aware_model_goes_on_as_if_it_had_not_stopped(of_knowledge):
    whole = run_recbole_popaware("CKE", config_dict={**of_knowledge, "epochs": 2})
    first = run_recbole_popaware("CKE", config_dict=of_knowledge)
    resumed = {**of_knowledge, "epochs": 2, "resume_from": first["checkpoint"]}
    assert run_recbole_popaware("CKE", config_dict=resumed)["test_result"] == whole["test_result"]


def test_what_the_graph_does_not_link_is_counted(of_knowledge, folder, caplog):
    dataset = create_dataset(Config("CKE", config_dict=of_knowledge, argv=()))
    plays = len((folder / NAME / f"{NAME}.inter").read_text().splitlines()) - 1
    (message,) = (r.getMessage() for r in caplog.records if ".link" in r.getMessage())
    assert int(message.split()[0]) == plays - len(dataset.inter_feat) > 0
