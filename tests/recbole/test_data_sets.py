"""What RecBole's data sets do with atomic files, asked of ours: filters, numbers, splits, graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recbole_popaware.config import Config
from recbole_popaware.data.utils import create_dataset
from recbole_popaware.errors import UsageError

pytestmark = pytest.mark.slow

INTER = "user_id:token item_id:token rating:float timestamp:float"


@pytest.fixture
def load(tmp_path):
    """Write tables, whose first line is a header, and load them; _ is a blank in a field, ~ an empty one."""

    def make(files: dict[str, str], model: str = "BPR", **more):
        (tmp_path / "set").mkdir(exist_ok=True)
        for suffix, table in files.items():
            head, *rows = (line.replace(" ", "\t") for line in table.splitlines())
            rows = [row.replace("_", " ").replace("~", "") for row in rows]
            lines = [head, *rows]
            Path(tmp_path, "set", f"set.{suffix}").write_text("\n".join(lines) + "\n")
        settings = {"data_path": str(tmp_path), "dataset": "set", "load_col": None, "state": "ERROR", **more}
        return create_dataset(Config(model, config_dict=settings, argv=()))

    return make


def names(dataset, field, feat="inter_feat"):
    return list(dataset.field2id_token[field][np.asarray(getattr(dataset, feat)[field])])


def table(rows: str) -> str:
    return f"{INTER}\n" + rows


RATED = table("a x 1 5\na y 4 1\nb x 5 3\nb y 2 4\nc z 3 2\nc x 4 6\n")


@pytest.mark.parametrize(
    ("interval", "times"),
    [
        ({"timestamp": "[4,inf)"}, [5, 4, 6]),
        ({"timestamp": "(4,inf)"}, [5, 6]),
        ({"rating": "(-inf,4);(4,inf)"}, [5, 3, 4, 2]),
        ({"rating": "[4,4]"}, [1, 6]),
        ({"rating": "[2,4]", "timestamp": "[2,4]"}, [4, 2]),
        ({"item_id": ["x"]}, [5, 3, 6]),
    ],
)
def test_rows_are_filtered_by_values(load, interval, times):
    assert load({"inter": RATED}, val_interval=interval).inter_feat["timestamp"].tolist() == times


@pytest.mark.parametrize(("keep", "time"), [("first", [1, 7]), ("last", [9, 7])])
def test_of_rows_of_a_user_and_an_item_the_first_or_last_is_kept(load, keep, time):
    rows = table("a x 1 5\na x 1 9\na x 1 1\nb y 1 7\n")
    assert load({"inter": rows}, rm_dup_inter=keep).inter_feat["timestamp"].tolist() == sorted(time)


CORE = table("a x 1 1\na y 1 2\na z 1 3\nb x 1 4\nb y 1 5\nc x 1 6\nd w 1 7\n")


@pytest.mark.parametrize(
    ("users", "items", "left"),
    [
        ("[2,inf)", None, ["a", "a", "a", "b", "b"]),
        (None, "[2,inf)", ["a", "a", "b", "b", "c"]),
        ("[2,inf)", "[2,inf)", ["a", "a", "b", "b"]),  # z and then c go
        ("(-inf,2]", None, ["b", "b", "c", "d"]),
        (None, "[1,1]", ["a", "d"]),
    ],
)
def test_users_and_items_are_filtered_by_their_plays_until_all_fit(load, users, items, left):
    dataset = load({"inter": CORE}, user_inter_num_interval=users, item_inter_num_interval=items)
    assert names(dataset, "user_id") == left
    assert dataset.user_num == len(set(left)) + 1


@pytest.mark.parametrize(("listed", "left"), [(True, ["x"]), (False, ["x", "y", "x"])])
def test_plays_of_what_is_not_listed_are_left_out_or_not(load, listed, left):
    files = {
        "inter": table("a x 1 1\na y 1 2\nb x 1 3\n"),
        "user": "user_id:token\na\n",
        "item": "item_id:token\nx\n",
    }
    assert names(load(files, filter_inter_by_user_or_item=listed), "item_id") == left


def test_rows_without_a_user_or_an_item_are_left_out(load, tmp_path):
    load({"inter": table("a x 1 1\nb y 1 2\n")})
    file = tmp_path / "set" / "set.inter"
    file.write_text(file.read_text() + "\tx\t1\t3\na\t\t1\t4\n")
    settings = {"data_path": str(tmp_path), "dataset": "set", "load_col": None}
    dataset = create_dataset(Config("BPR", config_dict=settings, argv=()))
    assert names(dataset, "item_id") == ["x", "y"]


def test_tokens_are_numbered_by_first_appearance_and_together_with_their_aliases(load):
    head = "user_id:token item_id:token friend:token friends:token_seq\n"
    rows = head + "ua ia ub ub_uc\nub ib ud ua\nuc ia ua ~\n"
    alone = load({"inter": rows}, model="Pop")
    assert alone.inter_feat["friend"].tolist() == [1, 2, 3]
    assert list(alone.field2id_token["friends"]) == ["[PAD]", "ub", "uc", "ua"]
    joint = load({"inter": rows}, model="Pop", alias_of_user_id=["friend", "friends"])
    assert list(joint.field2id_token["user_id"]) == ["[PAD]", "ua", "ub", "uc", "ud"]
    assert joint.inter_feat["friend"].tolist() == [2, 4, 1]
    assert [list(row) for row in joint.inter_feat["friends"]] == [[2, 3], [1], []]


def test_missing_values_are_the_mean_the_padding_or_empty(load):
    inter = "user_id:token item_id:token rating:float\na x 1\nb y ~\nc x 3\n"
    users = "user_id:token age:float mood:token tags:float_seq\na 10 glad 1_2\nb ~ sad ~\nc 20 ~ ~\n"
    dataset = load({"inter": inter, "user": users}, model="Pop")
    assert dataset.inter_feat["rating"].tolist() == [1, 2, 3]
    assert dataset.user_feat["age"].tolist() == [15, 10, 15, 20]  # also of the padding user
    assert dataset.user_feat["mood"].tolist() == [0, 1, 2, 0]
    assert [list(row) for row in dataset.user_feat["tags"]] == [[], [1, 2], [], []]


def test_labels_come_from_a_threshold_and_the_field_goes(load):
    dataset = load({"inter": RATED}, threshold={"rating": 4})
    assert dataset.inter_feat["label"].tolist() == [0, 1, 1, 0, 0, 1]
    assert "rating" not in dataset.inter_feat


@pytest.mark.parametrize(
    ("how", "rating", "time"),
    [
        ({"normalize_all": True}, [0, 0.75, 1, 0.25, 0.5, 0.75], [0.8, 0, 0.4, 0.6, 0.2, 1]),
        ({"normalize_field": ["rating"]}, [0, 0.75, 1, 0.25, 0.5, 0.75], [5, 1, 3, 4, 2, 6]),
    ],
)
def test_numbers_are_brought_between_0_and_1(load, how, rating, time):
    dataset = load({"inter": RATED}, **how)
    assert dataset.inter_feat["rating"].tolist() == pytest.approx(rating)
    assert dataset.inter_feat["timestamp"].tolist() == pytest.approx(time)


def test_sequences_of_numbers_are_normalised_and_put_in_buckets_value_by_value(load):
    rows = "user_id:token item_id:token marks:float_seq\na x 0_10\nb y 5\nc x 10_2_4\n"
    normal = load({"inter": rows}, model="Pop", normalize_all=True)
    assert [list(row) for row in normal.inter_feat["marks"]] == [[0, 1], [0.5], [1, 0.2, 0.4]]
    buckets = {"numerical_features": ["marks"], "discretization": {"marks": {"method": "ED", "bucket": 2}}}
    dataset = load({"inter": rows}, model="Pop", **buckets)
    assert [list(row[1]) for row in dataset.inter_feat["marks"]] == [[1, 2], [1], [2, 1, 1]]


LOG = table("".join(f"u{n} i{i} 1 {i}\n" for n in range(1, 11) for i in range(1, n + 1)))
SIZES = np.arange(1, 11)  # user n has n plays


@pytest.mark.parametrize("order", ["TO", "RO"])
@pytest.mark.parametrize(
    ("split", "valid", "test"),
    [
        ({"RS": [0.8, 0.1, 0.1]}, [0, 0, 1, 1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ({"RS": [8, 0, 2]}, [0] * 10, [0, 1, 1, 1, 1, 1, 1, 1, 1, 2]),
        ({"LS": "valid_and_test"}, [0, 0, *[1] * 8], [0, *[1] * 9]),
        ({"LS": "test_only"}, [0] * 10, [0, *[1] * 9]),
        ({"LS": "valid_only"}, [0, *[1] * 9], [0] * 10),
    ],
)
def test_every_users_plays_are_split_by_shares_or_the_last_ones_left_out(load, split, order, valid, test):
    parts = load({"inter": LOG}, eval_args={"split": split, "order": order, "mode": "uni5"}).build()
    counts = [np.bincount(part.inter_feat["user_id"], minlength=11)[1:] for part in parts]
    assert counts[1].tolist() == valid
    assert counts[2].tolist() == test
    assert (sum(counts) == SIZES).all()
    if order == "TO":
        latest, earliest = (
            {
                user: f(
                    time
                    for u, time in zip(p.inter_feat["user_id"].tolist(), p.inter_feat["timestamp"].tolist())
                    if u == user
                )
                for user in set(p.inter_feat["user_id"].tolist())
            }
            for p, f in ((parts[0], max), (parts[2], min))
        )
        assert all(latest[user] < earliest[user] for user in earliest)


def test_windows_end_where_their_target_is(load):
    rows = table("".join(f"a i{n} 1 {n}\n" for n in range(1, 6)) + "b i2 1 1\nb i3 1 2\nb i4 1 3\n")
    train, valid, test = load({"inter": rows}, model="GRU4Rec").build()
    fields = train.item_id_list_field, train.iid_field, train.item_list_length_field
    lists, targets, lengths = (train.inter_feat[field] for field in fields)
    assert lists[:, :3].numpy().tolist() == [[1, 0, 0], [1, 2, 0], [2, 0, 0]]
    assert (targets.tolist(), lengths.tolist()) == ([2, 3, 3], [1, 2, 1])
    assert valid.inter_feat[fields[0]][:, :4].numpy().tolist() == [[1, 2, 3, 0]]
    assert test.inter_feat[fields[0]][:, :4].numpy().tolist() == [[1, 2, 3, 4], [2, 3, 0, 0]]
    assert train.inter_matrix().toarray()[1:].tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0]]


GRAPH = {
    "inter": "user_id:token item_id:token\nua ia\nub ib\nuc ic\nud id\n",
    "link": "item_id:token entity_id:token\nib eb\nic ec\nid ed\n",
    "kg": "head_id:token relation_id:token tail_id:token\neb ra ea\nec rb eb\ned ra ec\nee rb ed\n",
}


def test_items_and_entities_share_numbers_and_unlinked_items_go(load):
    dataset = load(GRAPH, model="CKE")
    assert dataset.token2id("item_id", ["ib", "ic", "id"]).tolist() == [1, 2, 3]
    assert dataset.token2id("entity_id", ["eb", "ec", "ed", "ee", "ea"]).tolist() == [1, 2, 3, 4, 5]
    assert names(dataset, "user_id") == ["ub", "uc", "ud"]
    assert dataset.kg_feat["head_id"].tolist() == [1, 2, 3, 4]
    assert dataset.kg_feat["tail_id"].tolist() == [5, 1, 2, 3]
    assert list(dataset.field2id_token["relation_id"]) == ["[PAD]", "ra", "rb", "[UI-Relation]"]


def test_relations_may_have_a_reverse(load):
    dataset = load(GRAPH, model="CKE", kg_reverse_r=True)
    assert list(dataset.field2id_token["relation_id"]) == [
        "[PAD]",
        "ra",
        "rb",
        "ra_r",
        "rb_r",
        "[UI-Relation]",
    ]
    assert len(dataset.kg_feat) == 8


TRIANGLE = "head_id:token relation_id:token tail_id:token\neb ra ec\nec ra ed\ned ra eb\ned rb ea\n"


@pytest.mark.parametrize("field", ["entity", "relation"])
def test_triples_are_filtered_by_counts(load, field):
    dataset = load({**GRAPH, "kg": TRIANGLE}, model="CKE", **{f"{field}_kg_num_interval": "[2,inf)"})
    assert names(dataset, "relation_id", "kg_feat") == ["ra", "ra", "ra"]


@pytest.mark.parametrize(
    "more", [{"kg": GRAPH["kg"], "interval": "[5,inf)"}, {"link": "item_id:token entity_id:token\nix eb\n"}]
)
def test_a_graph_of_which_nothing_is_left_is_refused(load, more):
    interval = more.pop("interval", None)
    with pytest.raises(UsageError, match="no triple, or no play of an item"):
        load({**GRAPH, **more}, model="CKE", entity_kg_num_interval=interval)
