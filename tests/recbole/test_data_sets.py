"""What data sets do with atomic files beyond RecBole's own cases (``cases/test_case_data_sets.py``)."""

from __future__ import annotations

import pytest
from either_recbole import create_dataset, make_config, write_tables

from recbole_popaware.errors import UsageError

pytestmark = pytest.mark.slow

RATED = (
    "user_id:token item_id:token rating:float timestamp:float\na x 1 5\na y 4 1\nb x 5 3\nc z 3 2\nc x 4 6\n"
)
GRAPH = {
    "inter": "user_id:token item_id:token\nua ia\nub ib\nuc ic\nud id\n",
    "link": "item_id:token entity_id:token\nib eb\nic ec\nid ed\n",
    "kg": "head_id:token relation_id:token tail_id:token\neb ra ea\nec rb eb\ned ra ec\nee rb ed\n",
}


@pytest.fixture
def load(tmp_path):
    def make(files, model="BPR", **more):
        return create_dataset(make_config(model, "set", **write_tables(tmp_path, files), **more))

    return make


def test_rows_are_filtered_by_a_list_of_values(load):
    assert load({"inter": RATED}, val_interval={"item_id": ["x"]}).inter_feat["timestamp"].tolist() == [
        5,
        3,
        6,
    ]


def test_a_field_that_labels_are_made_of_goes(load):
    dataset = load({"inter": RATED}, threshold={"rating": 4})
    assert dataset.inter_feat["label"].tolist() == [0, 1, 1, 0, 1]
    assert "rating" not in dataset.inter_feat


def test_sequences_of_numbers_are_normalised_and_put_in_buckets_value_by_value(load):
    rows = "user_id:token item_id:token marks:float_seq\na x 0_10\nb y 5\nc x 10_2_4\n"
    normal = load({"inter": rows}, model="Pop", normalize_all=True)
    assert [list(row) for row in normal.inter_feat["marks"]] == [[0, 1], [0.5], [1, 0.2, 0.4]]
    buckets = {"numerical_features": ["marks"], "discretization": {"marks": {"method": "ED", "bucket": 2}}}
    dataset = load({"inter": rows}, model="Pop", **buckets)
    assert [list(row[1]) for row in dataset.inter_feat["marks"]] == [[1, 2], [1], [2, 1, 1]]


def test_relations_of_plays_come_after_those_of_the_graph(load):
    relations = list(load(GRAPH, model="CKE", kg_reverse_r=True).field2id_token["relation_id"])
    assert relations == ["[PAD]", "ra", "rb", "ra_r", "rb_r", "[UI-Relation]"]


@pytest.mark.parametrize(
    "more", [{"kg": GRAPH["kg"], "interval": "[5,inf)"}, {"link": "item_id:token entity_id:token\nix eb\n"}]
)
def test_a_graph_of_which_nothing_is_left_is_refused(load, more):
    interval = more.pop("interval", None)
    with pytest.raises(UsageError, match="no triple, or no play of an item"):
        load({**GRAPH, **more}, model="CKE", entity_kg_num_interval=interval)
