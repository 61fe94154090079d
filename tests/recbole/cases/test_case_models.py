"""RecBole's tests/model/test_model_auto.py: every model trains and is evaluated."""

from __future__ import annotations

import math

import pytest
from either_recbole import run

NO_NEGATIVES = {"train_neg_sample_args": None}
BPR = {"loss_type": "BPR"}
SHORT = {"MAX_ITEM_LIST_LENGTH": 3}
FREE = {"MAX_ITEM_LIST_LENGTH": 10, "reproducibility": False}
TURNED = {"transform": "inverse_itemseq"}
MASKED = {"transform": "mask_itemseq"}
DYNAMIC = {"distribution": "uniform", "sample_num": 1, "alpha": 1.0, "dynamic": True, "candidate_num": 2}
ALPHA = {"split_to": 10, "alpha": 0.5}

GENERAL = {
    "pop": ("Pop", {}),
    "random": ("Random", {}),
    "itemknn": ("ItemKNN", {"knn_method": "item"}),
    "userknn": ("ItemKNN", {"knn_method": "user"}),
    "asymitemknn": ("AsymKNN", {"knn_method": "item"}),
    "asymuserknn": ("AsymKNN", {"knn_method": "user"}),
    "bpr": ("BPR", {}),
    "bpr_with_dns": ("BPR", {"train_neg_sample_args": DYNAMIC}),
    "neumf": ("NeuMF", {}),
    "convncf": ("ConvNCF", {}),
    "dmf": ("DMF", {}),
    "dmf_with_rating": ("DMF", {"inter_matrix_type": "rating"}),
    "fism": ("FISM", {}),
    "fism_with_split_to_and_alpha": ("FISM", ALPHA),
    "nais": ("NAIS", {}),
    "nais_with_concat": ("NAIS", {"algorithm": "concat", "beta": 0.1, **ALPHA}),
    "spectralcf": ("SpectralCF", {}),
    "gcmc": ("GCMC", {}),
    "gcmc_with_stack": ("GCMC", {"accum": "stack", "sparse_feature": False}),
    "ngcf": ("NGCF", {}),
    "lightgcn": ("LightGCN", {}),
    "dgcf": ("DGCF", {"train_batch_size": 64}),
    "line": ("LINE", {}),
    "ease": ("EASE", {}),
    "MultiDAE": ("MultiDAE", NO_NEGATIVES),
    "MultiVAE": ("MultiVAE", NO_NEGATIVES),
    "enmf": ("ENMF", NO_NEGATIVES),
    "MacridVAE": ("MacridVAE", NO_NEGATIVES),
    "CDAE": ("CDAE", NO_NEGATIVES),
    "NNCF": ("NNCF", {}),
    "RecVAE": ("RecVAE", NO_NEGATIVES),
    "slimelastic": ("SLIMElastic", {}),
    "SGL": ("SGL", {}),
    "ADMMSLIM": ("ADMMSLIM", {}),
    "SimpleX_with_mean": ("SimpleX", {"aggregator": "mean"}),
    "SimpleX_with_user_attention": ("SimpleX", {"aggregator": "user_attention"}),
    "SimpleX_with_self_attention": ("SimpleX", {"aggregator": "self_attention"}),
    "NCEPLRec": ("NCEPLRec", {}),
    "NCL": ("NCL", {"num_clusters": 8}),
    "DiffRec": ("DiffRec", {}),
    "TDiffRec": ("DiffRec", {"time-aware": True}),
    "LDiffRec": ("LDiffRec", {}),
    "LTDiffRec": ("LDiffRec", {"time-aware": True}),
}

CONTEXT = {
    "lr": ("LR", {}),
    "fm": ("FM", {}),
    "nfm": ("NFM", {}),
    "deepfm": ("DeepFM", {}),
    "xdeepfm": ("xDeepFM", {}),
    "xdeepfm_with_direct": ("xDeepFM", {"direct": True}),
    "afm": ("AFM", {}),
    "fnn": ("FNN", {}),
    "pnn": ("PNN", {}),
    "pnn_with_use_inner_and_use_outer": ("PNN", {"use_inner": True, "use_outer": True}),
    "pnn_without_use_inner_and_use_outer": ("PNN", {"use_inner": False, "use_outer": False}),
    "dssm": ("DSSM", {}),
    "widedeep": ("WideDeep", {}),
    "autoint": ("AutoInt", {}),
    "ffm": ("FFM", {}),
    "fwfm": ("FwFM", {}),
    "dcn": ("DCN", {}),
    "dcnv2": ("DCNV2", {}),
    "xgboost": (
        "XGBoost",
        {
            "xgb_num_boost_round": 1,
            "xgb_params": {
                "booster": "gbtree",
                "objective": "binary:logistic",
                "eval_metric": ["auc", "logloss"],
            },
        },
    ),
    "lightgbm": (
        "LightGBM",
        {
            "lgb_num_boost_round": 1,
            "lgb_params": {"boosting": "gbdt", "objective": "binary", "metric": ["auc", "binary_logloss"]},
        },
    ),
    "fignn": ("FiGNN", {}),
    "kd_dagfm": ("KD_DAGFM", {}),
    "eulernet": ("EulerNet", {}),
}

SEQUENTIAL = {
    "din": ("DIN", {}),
    "dien": ("DIEN", {}),
    "fpmc": ("FPMC", {}),
    "gru4rec": ("GRU4Rec", NO_NEGATIVES),
    "gru4reccpr": ("GRU4RecCPR", NO_NEGATIVES),
    "gru4rec_with_BPR_loss": ("GRU4Rec", BPR),
    "narm": ("NARM", NO_NEGATIVES),
    "narm_with_BPR_loss": ("NARM", BPR),
    "stamp": ("STAMP", NO_NEGATIVES),
    "stamp_with_BPR_loss": ("STAMP", BPR),
    "caser": ("Caser", {**FREE, **NO_NEGATIVES}),
    "caser_with_BPR_loss": ("Caser", {**FREE, **BPR}),
    "nextitnet": ("NextItNet", {"reproducibility": False, **NO_NEGATIVES}),
    "nextitnet_with_BPR_loss": ("NextItNet", {"reproducibility": False, **BPR}),
    "transrec": ("TransRec", {}),
    "sasrec": ("SASRec", NO_NEGATIVES),
    "sasreccpr": ("SASRecCPR", NO_NEGATIVES),
    "sasrec_with_BPR_loss_and_relu": ("SASRec", {"hidden_act": "relu", **BPR}),
    "sasrec_with_BPR_loss_and_sigmoid": ("SASRec", {"hidden_act": "sigmoid", **BPR}),
    "srgnn": ("SRGNN", {**SHORT, **NO_NEGATIVES}),
    "srgnn_with_BPR_loss": ("SRGNN", {**SHORT, **BPR}),
    "gcsan": ("GCSAN", {**SHORT, **NO_NEGATIVES}),
    "gcsan_with_BPR_loss_and_tanh": ("GCSAN", {"hidden_act": "tanh", **SHORT, **BPR}),
    "gru4recf": ("GRU4RecF", NO_NEGATIVES),
    "gru4recf_with_max_pooling": ("GRU4RecF", {"pooling_mode": "max", **NO_NEGATIVES}),
    "gru4recf_with_sum_pooling": ("GRU4RecF", {"pooling_mode": "sum", **NO_NEGATIVES}),
    "sasrecf": ("SASRecF", NO_NEGATIVES),
    "sasrecf_with_max_pooling": ("SASRecF", {"pooling_mode": "max", **NO_NEGATIVES}),
    "sasrecf_with_sum_pooling": ("SASRecF", {"pooling_mode": "sum", **NO_NEGATIVES}),
    "hrm": ("HRM", NO_NEGATIVES),
    "hrm_with_BPR_loss": ("HRM", BPR),
    "npe": ("NPE", NO_NEGATIVES),
    "npe_with_BPR_loss": ("NPE", BPR),
    "shan": ("SHAN", {**TURNED, **NO_NEGATIVES}),
    "shan_with_BPR_loss": ("SHAN", {**TURNED, **BPR}),
    "hgn": ("HGN", NO_NEGATIVES),
    "hgn_with_BPR_loss": ("HGN", BPR),
    "fossil": ("FOSSIL", NO_NEGATIVES),
    "repeat_net": ("RepeatNet", {}),
    "fdsa": ("FDSA", NO_NEGATIVES),
    "fdsa_with_max_pooling": ("FDSA", {"pooling_mode": "max", **NO_NEGATIVES}),
    "fdsa_with_sum_pooling": ("FDSA", {"pooling_mode": "sum", **NO_NEGATIVES}),
    "bert4rec": ("BERT4Rec", {**MASKED, **NO_NEGATIVES}),
    "bert4rec_with_BPR_loss_and_swish": ("BERT4Rec", {"hidden_act": "swish", **MASKED, **BPR}),
    "lightsans": ("LightSANs", NO_NEGATIVES),
    "lightsans_with_BPR_loss": ("LightSANs", BPR),
    "sine": ("SINE", NO_NEGATIVES),
    "sine_with_BPR_loss": ("SINE", BPR),
    "sine_with_NLL_loss": ("SINE", {"loss_type": "NLL", **NO_NEGATIVES}),
    "core_trm": ("CORE", {"dnn_type": "trm", **NO_NEGATIVES}),
    "core_ave": ("CORE", {"dnn_type": "ave", **NO_NEGATIVES}),
    "fea_rec": ("FEARec", NO_NEGATIVES),
}

KNOWLEDGE = {
    "cke": ("CKE", {}),
    "cfkg": ("CFKG", {}),
    "cfkg_with_transe": ("CFKG", {"loss_function": "transe"}),
    "ktup": ("KTUP", {"train_rec_step": 1, "train_kg_step": 1, "epochs": 2}),
    "ktup_with_L1_flag": ("KTUP", {"use_st_gumbel": False, "L1_flag": True}),
    "kgat": ("KGAT", {}),
    "kgat_with_gcn": ("KGAT", {"aggregator_type": "gcn"}),
    "kgat_with_graphsage": ("KGAT", {"aggregator_type": "graphsage"}),
    "ripplenet": ("RippleNet", {}),
    "mkr": ("MKR", {}),
    "mkr_without_use_inner_product": ("MKR", {"use_inner_product": False}),
    "kgcn": ("KGCN", {}),
    "kgcn_with_neighbor": ("KGCN", {"aggregator": "neighbor"}),
    "kgcn_with_concat": ("KGCN", {"aggregator": "concat"}),
    "kgnnls": ("KGNNLS", {}),
    "kgnnls_with_neighbor": ("KGNNLS", {"aggregator": "neighbor"}),
    "kgnnls_with_concat": ("KGNNLS", {"aggregator": "concat"}),
    "mcclk": ("MCCLK", {}),
    "kgin": ("KGIN", {}),
}

GRAPH = {"kg": ["head_id", "relation_id", "tail_id"], "link": ["item_id", "entity_id"]}


def trains(shaped, case, **more):
    """Train a case's model; its measures on the test part."""
    model, settings = case
    result = run(model, **{**shaped, **more, **settings})
    assert all(map(math.isfinite, result["test_result"].values()))
    return result["test_result"]


def ranks(shaped, case, **more):
    result = trains(shaped, case, **more)
    assert {"recall@10", "ndcg@10"} <= result.keys()
    assert all(0 <= value <= 1 for value in result.values())


@pytest.mark.parametrize("case", GENERAL)
def test_general(shaped, case):
    ranks(shaped, GENERAL[case])


@pytest.mark.parametrize("case", CONTEXT)
def test_context(shaped, case):
    result = trains(shaped, CONTEXT[case], threshold={"rating": 4})
    assert 0 < result["auc"] < 1
    assert result["logloss"] > 0


@pytest.mark.parametrize("case", SEQUENTIAL)
def test_sequential(shaped, case):
    model, _ = SEQUENTIAL[case]
    (trains if model in ("DIN", "DIEN") else ranks)(shaped, SEQUENTIAL[case])


@pytest.mark.parametrize("case", KNOWLEDGE)
def test_knowledge(shaped, case):
    ranks({**shaped, "load_col": {**shaped["load_col"], **GRAPH}}, KNOWLEDGE[case])
