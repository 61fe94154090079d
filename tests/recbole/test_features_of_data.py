"""Features of users, items and plays: which columns are loaded, and what models get of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SMALL, looping_plays, write_atomic
from ml_shape import LOAD_COL, NAME, write_ml_shape
from recbole.data.dataset import SequentialDataset
from recbole.model.sequential_recommender import GRU4Rec

from recbole_popaware.config import Config
from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware


@pytest.mark.slow
@pytest.mark.parametrize("model", ["DIEN", "DIN", "FDSA", "GRU4RecF", "SASRecF"])
def test_features_that_the_file_beside_the_data_names_are_loaded(tmp_path, model):
    write_ml_shape(tmp_path, properties={"load_col": LOAD_COL})
    settings = {**SMALL, "n_heads": 1, "data_path": str(tmp_path), "dataset": NAME}
    result = run_recbole_popaware(model, config_dict=settings)
    assert "class" in load_data_and_model(result["checkpoint"]).dataset.item_feat


@pytest.mark.parametrize(
    ("model", "files"),
    [("SASRecF", {"inter", "item"}), ("DIN", {"inter", "user", "item"}), ("SASRec", {"inter"})],
)
def test_recboles_columns_of_its_example_win_over_ours(model, files):
    assert Config(model, "ml-100k", argv=())["load_col"].keys() == files
    assert Config(model, "demo", argv=())["load_col"].keys() == {"inter"}


class ReadsRatings(GRU4Rec):
    """A model of somebody's that reads windows of another field."""

    def calculate_loss(self, interaction):
        assert interaction["rating_list"].shape == interaction["item_id_list"].shape
        assert set(interaction["rating_list"].unique().tolist()) <= {0, 1, 2}
        return super().calculate_loss(interaction)


@pytest.fixture
def rated(tmp_path):
    plays = [(*play, 1 + n % 2) for n, play in enumerate(looping_plays())]
    write_atomic(tmp_path, "rated", plays)
    settings = {"data_path": str(tmp_path), "dataset": "rated", "embedding_size": 8, "num_layers": 1}
    return {**SMALL, **settings, "dropout_prob": 0.1, "loss_type": "CE"}


def test_selected_features_of_plays_have_windows(rated):
    run_recbole_popaware(ReadsRatings, config_dict={**rated, "selected_features": ["rating"]})
    run_recbole_popaware(ReadsRatings, config_dict={**rated, "window_fields": ["rating"]})
    with pytest.raises(
        UsageError, match=r"ReadsRatings reads \[rating_list\]; say window_fields: \[rating\]"
    ):
        run_recbole_popaware(ReadsRatings, config_dict=rated)


@pytest.fixture
def columns(rated):
    """The window of ratings of all rows: ours, and stock's tensor."""
    ours, stock = (
        kind(Config("SASRec", config_dict=rated, argv=())) for kind in (HistoryDataset, SequentialDataset)
    )
    ours._change_feat_format()
    stock._change_feat_format()
    return ours.inter_feat["item_id_list"], stock.inter_feat["item_id_list"]


@pytest.mark.parametrize(
    "index",
    [
        3,
        -1,
        slice(2, 9),
        [4, 1, 4],
        torch.tensor([5, 0]),
        (slice(None), 0),
        (slice(3, 7), slice(None, 3)),
        (2, slice(1, 4)),
        (2, 1),
        (torch.tensor([1, 2]), torch.tensor([0, 1])),
        (slice(None), slice(None, None, 2)),
    ],
)
def test_a_window_column_is_indexed_as_a_tensor(columns, index):
    ours, stock = columns
    assert torch.equal(ours[index], stock[index])


def test_a_window_column_is_a_tensor_to_those_who_ask(columns):
    ours, stock = columns
    assert (ours.shape, ours.dtype, len(ours), ours.dim()) == (stock.shape, stock.dtype, len(stock), 2)
    assert (ours == stock).all()
    assert not (ours != stock).any()
    assert np.array_equal(ours.numpy(), stock.numpy())
    assert torch.equal(torch.cat([ours, stock]), torch.cat([stock, stock]))
    assert torch.equal(ours.float().mean(dim=1), stock.float().mean(dim=1))


def test_rows_have_list_fields(rated):
    dataset = HistoryDataset(Config("SASRec", config_dict=rated, argv=()))
    dataset._change_feat_format()
    asked = ("item_id_list", "rating_list", "item_length", "user_id", "mood_list")
    assert [field in dataset.inter_feat for field in asked] == [True] * 4 + [False]
