"""Files that are split beforehand, a row a session, as in RecBole's example of session-based models."""

from __future__ import annotations

import pytest

from recbole_popaware.config import Config
from recbole_popaware.data.utils import create_dataset
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import run_recbole_popaware

HEADER = "session_id:token\titem_id_list:token_seq\titem_id:token"
ROWS = {
    "train": [("s1", "a", "b"), ("s1", "a b", "c"), ("s2", "c b a", "d"), ("s3", "d", "a")],
    "valid": [("s4", "a b", "c")],
    "test": [("s5", "c b a", "d"), ("s6", "d a", "b")],
}


@pytest.fixture
def settings(tmp_path):
    write(tmp_path, ROWS)
    files = {"benchmark_filename": list(ROWS), "alias_of_item_id": ["item_id_list"], "load_col": None}
    names = {"data_path": str(tmp_path), "dataset": "sess", "USER_ID_FIELD": "session_id"}
    return {**names, **files, "epochs": 1, "topk": [3], "valid_metric": "MRR@3", "state": "ERROR"}


def write(folder, rows):
    (folder / "sess").mkdir(exist_ok=True)
    for part, lines in rows.items():
        text = "\n".join([HEADER, *("\t".join(row) for row in lines)]) + "\n"
        (folder / "sess" / f"sess.{part}.inter").write_text(text)


def parts_of(settings, model="GRU4Rec"):
    return create_dataset(Config(model, config_dict=settings, argv=())).build()


def test_lists_have_their_own_lengths(settings):
    train, valid, test = (part.inter_feat for part in parts_of(settings))
    names = parts_of(settings)[0].field2id_token["item_id"]
    assert train["item_length"].tolist() == [1, 2, 3, 1]
    assert valid["item_length"].tolist() == [2]
    assert ["".join(names[row] for row in rows if row) for rows in test["item_id_list"]] == ["cba", "da"]
    assert names[test["item_id"]].tolist() == ["d", "b"]


def test_two_files_leave_nothing_to_validate(settings):
    train, valid, test = parts_of({**settings, "benchmark_filename": ["train", "test"]})
    assert (len(train), len(valid), len(test)) == (4, 0, 2)
    both = {**settings, "benchmark_filename": ["train", "test"]}
    result = run_recbole_popaware("GRU4Rec", config_dict=both)
    assert result["best_valid_result"] is None
    assert "mrr@3" in result["test_result"]


def test_the_newest_items_are_kept_and_the_others_counted(settings, caplog):
    train, _, _ = parts_of({**settings, "MAX_ITEM_LIST_LENGTH": 2})
    names = train.field2id_token["item_id"]
    assert train.inter_feat["item_length"].tolist() == [1, 2, 2, 1]
    assert names[train.inter_feat["item_id_list"][2]].tolist() == ["b", "a"]
    assert any(record.getMessage().startswith("2 lists of [sess] are longer") for record in caplog.records)


@pytest.mark.parametrize("model", ["GRU4Rec", "NARM", "STAMP", "SASRec", "SRGNN"])
@pytest.mark.slow
def test_models_train_on_sessions(settings, model):
    result = run_recbole_popaware(model, config_dict=settings)
    assert 0 <= result["test_result"]["mrr@3"] <= 1


def test_lists_numbered_otherwise_or_empty_are_refused(settings, tmp_path):
    with pytest.raises(UsageError, match=r"alias_of_item_id: \[item_id_list\]"):
        parts_of({**settings, "alias_of_item_id": None})
    write(tmp_path, {"valid": [("s4", "", "c")]})
    with pytest.raises(UsageError, match=r"1 rows with an empty \[item_id_list\]"):
        parts_of(settings)
