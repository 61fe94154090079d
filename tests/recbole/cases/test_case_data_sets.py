"""RecBole's tests/data/test_dataset.py: filters, numbers, splits, windows and graphs of data sets."""

from __future__ import annotations

import numpy as np
import pytest

INTER = "user_id:token item_id:token rating:float timestamp:float\n"
RATED = INTER + "a x 1 5\na y 4 1\nb x 5 3\nb y 2 4\nc z 3 2\nc x 4 6\n"


def names(dataset, field, feat="inter_feat"):
    return list(dataset.field2id_token[field][np.asarray(getattr(dataset, feat)[field])])


def lists(column):
    return [list(values) for values in column]


def test_filter_nan_user_or_item(load):
    files = {
        "inter": INTER + "a x 1 1\na ~ 1 2\n~ x 1 3\nb y 1 4\n",
        "user": "user_id:token age:float\na 1\nb 2\n~ 3\n",
        "item": "item_id:token price:float\nx 1\n~ 2\ny 3\n",
    }
    dataset = load(files)
    assert len(dataset.inter_feat) == 2
    assert len(dataset.user_feat) == len(dataset.item_feat) == 3  # two and the padding


DOUBLE = INTER + "a x 1 5\na x 1 9\na x 1 1\nb y 1 7\n"
FILTER_PRICES = {
    "inter": INTER + "a x 1 1\nb y 1 2\nc z 1 3\na y 1 4\n",
    "user": "user_id:token age:float\na 1\nb 2\nc 9\n",
    "item": "item_id:token price:float\nx 1\ny 3\nz 2\n",
}


@pytest.mark.parametrize(
    ("keep", "times"),
    [
        pytest.param("first", [1, 7], id="remove_duplication_by_first"),
        pytest.param("last", [9, 7], id="remove_duplication_by_last"),
    ],
)
def test_duplicates(load, keep, times):
    assert sorted(load({"inter": DOUBLE}, rm_dup_inter=keep).inter_feat["timestamp"]) == sorted(times)


def by_value(name, interval, times):
    return pytest.param(interval, times, id=f"filter_by_field_value_{name}")


@pytest.mark.parametrize(
    ("interval", "times"),
    [
        by_value("with_lowest_val", {"timestamp": "[4,inf)"}, [5, 4, 6]),
        by_value("with_highest_val", {"timestamp": "(-inf,4]"}, [1, 3, 4, 2]),
        by_value("with_equal_val", {"rating": "[4,4]"}, [1, 6]),
        by_value("with_not_equal_val", {"rating": "(-inf,4);(4,inf)"}, [5, 3, 4, 2]),
        by_value("in_same_field", {"timestamp": "[2,5]"}, [5, 3, 4, 2]),
        by_value("in_different_field", {"timestamp": "[2,5]", "rating": "(-inf,3);(3,inf)"}, [5, 3, 4]),
    ],
)
def test_values(load, interval, times):
    assert load({"inter": RATED}, val_interval=interval).inter_feat["timestamp"].tolist() == times


@pytest.mark.parametrize(
    ("listed", "left"),
    [
        pytest.param(True, ["x"], id="filter_inter_by_user_or_item_is_true"),
        pytest.param(False, ["x", "y", "x"], id="filter_inter_by_user_or_item_is_false"),
    ],
)
def test_plays_of_what_is_not_listed(load, listed, left):
    files = {
        "inter": INTER + "a x 1 1\na y 1 2\nb x 1 3\n",
        "user": "user_id:token\na\n",
        "item": "item_id:token\nx\n",
    }
    assert names(load(files, filter_inter_by_user_or_item=listed), "item_id") == left


CORE = INTER + "a x 1 1\na y 1 2\na z 1 3\nb x 1 4\nb y 1 5\nc x 1 6\nd w 1 7\n"


def by_number(name, users, items, left):
    return pytest.param(users, items, left, id=f"filter_by_inter_num_in_{name}")


@pytest.mark.parametrize(
    ("users", "items", "left"),
    [
        by_number("min_user_inter_num", "[2,inf)", None, ["ax", "ay", "az", "bx", "by"]),
        by_number("min_item_inter_num", None, "[2,inf)", ["ax", "ay", "bx", "by", "cx"]),
        by_number("max_user_inter_num", "(-inf,2]", None, ["bx", "by", "cx", "dw"]),
        by_number("max_item_inter_num", None, "(-inf,1]", ["az", "dw"]),
        by_number("min_inter_num", "[2,inf)", "[2,inf)", ["ax", "ay", "bx", "by"]),
        by_number("complex_way", "[2,3]", "[2,inf)", ["ax", "ay", "bx", "by"]),  # z goes, and then c
    ],
)
def test_numbers_of_plays(load, users, items, left):
    dataset = load({"inter": CORE}, user_inter_num_interval=users, item_inter_num_interval=items)
    pairs = zip(names(dataset, "user_id"), names(dataset, "item_id"))
    assert ["".join(pair) for pair in pairs] == left
    assert dataset.user_num == len({pair[0] for pair in left}) + 1
    assert dataset.item_num == len({pair[1] for pair in left}) + 1


@pytest.mark.parametrize(
    ("keep", "rows"),
    [
        pytest.param("first", 1, id="rm_dup_by_first_and_filter_value"),
        pytest.param("last", 2, id="rm_dup_by_last_and_filter_value"),
    ],
)
def test_duplicates_go_before_values(load, keep, rows):
    table = INTER + "a x 5 1\na x 2 2\nb y 3 1\nb y 4 2\n"
    dataset = load({"inter": table}, rm_dup_inter=keep, val_interval={"rating": "(-inf,4]"})
    assert len(dataset.inter_feat) == rows


def test_rm_dup_and_filter_by_inter_num(load):
    """Without its double c has one play, so it goes; then z has one, and goes."""
    table = INTER + "a x 1 1\na y 1 2\nb x 1 3\nb y 1 4\nb z 1 5\nc z 1 6\nc z 1 7\n"
    more = {"user_inter_num_interval": "[2,inf)", "item_inter_num_interval": "[2,inf)"}
    assert names(load({"inter": table}, rm_dup_inter="first", **more), "item_id") == ["x", "y", "x", "y"]


def test_filter_value_and_filter_inter_by_ui(load):
    interval = {"age": "(-inf,2]", "price": "(-inf,2);(2,inf)"}
    dataset = load(FILTER_PRICES, val_interval=interval, filter_inter_by_user_or_item=True)
    assert names(dataset, "item_id") == ["x", "y", "y"]
    assert (dataset.user_num, dataset.item_num) == (3, 3)


def test_filter_value_and_inter_num(load):
    """Of the users a and b are left by age, of the items x and y by price, of the plays those rated 0."""
    files = {
        "inter": INTER + "a x 0 1\na y 0 2\nb x 0 3\nb y 0 4\nc x 0 5\na z 0 6\na x 1 7\n",
        "user": "user_id:token age:float\na 0\nb 0\nc 1\n",
        "item": "item_id:token price:float\nx 0\ny 0\nz 1\n",
    }
    interval = dict.fromkeys(("rating", "age", "price"), "(-inf,0]")
    more = {"user_inter_num_interval": "[2,inf)", "item_inter_num_interval": "[2,inf)"}
    dataset = load(files, val_interval=interval, **more)
    assert dataset.inter_feat["timestamp"].tolist() == [1, 2, 3, 4]
    assert (dataset.user_num, dataset.item_num) == (3, 3)


def test_filter_inter_by_ui_and_inter_num(load):
    """Plays of the unlisted d and w do not count, so c is left with one."""
    files = {
        "inter": INTER + "a x 1 1\na y 1 2\nb x 1 3\nb y 1 4\nc x 1 5\nc w 1 6\nd x 1 7\nd y 1 8\n",
        "user": "user_id:token\na\nb\nc\n",
        "item": "item_id:token\nx\ny\nz\n",
    }
    more = {"user_inter_num_interval": "[2,inf)", "item_inter_num_interval": "[2,inf)"}
    dataset = load(files, filter_inter_by_user_or_item=True, **more)
    assert dataset.inter_feat["timestamp"].tolist() == [1, 2, 3, 4]
    assert (dataset.user_num, dataset.item_num) == (3, 3)


FRIENDS = (
    "user_id:token item_id:token friend:token also:token friends:token_seq\n"
    "ua ia ub ib ub_uc\nub ib ud id ~\nuc ic ua ie ua_ub_ue\nud id uc ia uf\n"
)


def test_remap_id(load):
    dataset = load({"inter": FRIENDS}, model="Pop")
    assert dataset.token2id("user_id", ["ua", "ub", "uc", "ud"]).tolist() == [1, 2, 3, 4]
    assert dataset.token2id("item_id", ["ia", "ib", "ic", "id"]).tolist() == [1, 2, 3, 4]
    for field in ("user_id", "item_id", "friend", "also"):  # each field has numbers of its own
        assert dataset.inter_feat[field].tolist() == [1, 2, 3, 4]
    assert lists(dataset.inter_feat["friends"]) == [[1, 2], [], [3, 1, 4], [5]]


def test_remap_id_with_alias(load):
    aliases = {"alias_of_user_id": ["friend", "friends"], "alias_of_item_id": ["also"]}
    dataset = load({"inter": FRIENDS}, model="Pop", **aliases)
    assert dataset.token2id("user_id", ["ua", "ub", "uc", "ud", "ue", "uf"]).tolist() == [1, 2, 3, 4, 5, 6]
    assert dataset.token2id("item_id", ["ia", "ib", "ic", "id", "ie"]).tolist() == [1, 2, 3, 4, 5]
    assert dataset.inter_feat["friend"].tolist() == [2, 4, 1, 3]
    assert dataset.inter_feat["also"].tolist() == [2, 4, 5, 1]
    assert lists(dataset.inter_feat["friends"]) == [[2, 3], [], [1, 2, 5], [6]]


def test_ui_feat_preparation_and_fill_nan(load):
    files = {
        "inter": "user_id:token item_id:token rating:float times:float_seq\n"
        "ua ia 1 1_2\nub ib ~ ~\nuc ic 3 5\n",
        "user": "user_id:token age:float mood:token tags:token_seq\nua 10 glad p_q\nub ~ sad ~\nud 20 ~ q\n",
        "item": "item_id:token price:float\nia 1\nie 3\nib ~\n",
    }
    dataset = load(files, model="Pop", filter_inter_by_user_or_item=False, normalize_all=None)
    assert names(dataset, "user_id", "user_feat") == ["[PAD]", "ua", "ub", "uc", "ud"]
    assert names(dataset, "item_id", "item_feat") == ["[PAD]", "ia", "ib", "ic", "ie"]
    assert dataset.inter_feat["rating"].tolist() == [1, 2, 3]
    assert lists(dataset.inter_feat["times"]) == [[1, 2], [], [5]]
    assert dataset.user_feat["age"].tolist() == [15, 10, 15, 15, 20]  # also of the padding
    assert dataset.user_feat["mood"].tolist() == [0, 1, 2, 0, 0]
    assert lists(dataset.user_feat["tags"]) == [[], [1, 2], [], [], [2]]
    assert dataset.item_feat["price"].tolist() == [2, 1, 2, 2, 3]


def test_set_label_by_threshold(load):
    dataset = load({"inter": RATED}, threshold={"rating": 4}, normalize_all=None)
    assert dataset.inter_feat["label"].tolist() == [0, 1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("how", "times"),
    [
        pytest.param({"normalize_all": True}, [0.8, 0, 0.4, 0.6, 0.2, 1], id="normalize_all"),
        pytest.param(
            {"normalize_field": ["rating"], "normalize_all": False}, [5, 1, 3, 4, 2, 6], id="normalize_field"
        ),
    ],
)
def test_numbers_between_0_and_1(load, how, times):
    dataset = load({"inter": RATED}, **how)
    assert dataset.inter_feat["rating"].tolist() == pytest.approx([0, 0.75, 1, 0.25, 0.5, 0.75])
    assert dataset.inter_feat["timestamp"].tolist() == pytest.approx(times)


SIZES = [20, 1, 2, 3, 5, 9, 10, 11]  # plays of the users
LOG = INTER + "".join(
    f"u{user} i{play} 1 {play}\n" for user, size in enumerate(SIZES) for play in range(size)
)
ONE = [0, 1, 1, 1, 1, 1, 1]  # a play of each user who has a second one


@pytest.mark.parametrize(
    ("order", "split", "valid", "test"),
    [
        pytest.param(order, split, valid, test, id=f"{order}_{name}")
        for name, split, valid, test in [
            ("RS_811", {"RS": [0.8, 0.1, 0.1]}, [2, 0, 0, 1, 1, 1, 1, 1], [2, *ONE]),
            ("RS_820", {"RS": [0.8, 0.2, 0.0]}, [4, 0, 1, 1, 1, 1, 2, 2], [0] * 8),
            ("RS_802", {"RS": [0.8, 0.0, 0.2]}, [0] * 8, [4, 0, 1, 1, 1, 1, 2, 2]),
            ("LS_valid_and_test", {"LS": "valid_and_test"}, [1, 0, 0, 1, 1, 1, 1, 1], [1, *ONE]),
            ("LS_valid_only", {"LS": "valid_only"}, [1, *ONE], [0] * 8),
            ("LS_test_only", {"LS": "test_only"}, [0] * 8, [1, *ONE]),
        ]
        for order in ("TO", "RO")
        if order == "TO" or "RS" in name
    ],
)
def test_split(load, order, split, valid, test):
    parts = load({"inter": LOG}, eval_args={"split": split, "order": order, "mode": "uni5"}).build()
    users = [np.asarray(part.inter_feat["user_id"]) for part in parts]
    counts = [np.bincount(rows, minlength=len(SIZES) + 1)[1:].tolist() for rows in users]
    assert counts[1:] == [valid, test]
    assert np.sum(counts, axis=0).tolist() == SIZES
    if order == "TO":  # each user's plays go on from part to part
        times = [np.asarray(part.inter_feat["timestamp"]) for part in parts]
        for user, size in enumerate(SIZES, 1):
            of_user = np.concatenate([time[rows == user] for time, rows in zip(times, users)])
            assert of_user.tolist() == list(range(size))


WINDOWS = INTER + "".join(
    f"{user} i{play} 1 {time}\n"
    for user, plays in (("a", range(1, 9)), ("d", (3, 4)), ("b", range(4, 9)), ("c", (4, 5, 6)))
    for time, play in enumerate(plays)
)


def windows(part):
    """(user, window, target) of all rows."""
    fields = part.uid_field, part.item_id_list_field, part.item_list_length_field, part.iid_field
    users, items, lengths, targets = (part.inter_feat[field] for field in fields)
    rows = zip(users.tolist(), items[:].tolist(), lengths.tolist(), targets.tolist())
    return [(user, window[:length], target) for user, window, length, target in rows]


def upto(*ends, first=1, user=1):
    """Windows that begin with an item and end before each of the targets."""
    return [(user, list(range(first, end)), end) for end in ends]


@pytest.fixture
def load_windows(load):
    def make(**more):
        return load({"inter": WINDOWS}, model="GRU4Rec", train_neg_sample_args=None, **more).build()

    return make


def test_seq_leave_one_out(load_windows):
    train, valid, test = load_windows()
    # users are numbered as they appear: a, d, b, c
    assert sorted(windows(train)) == sorted(
        [*upto(2, 3, 4, 5, 6), (2, [3], 4), *upto(5, 6, first=4, user=3), (4, [4], 5)]
    )
    assert sorted(windows(valid)) == sorted([*upto(7), *upto(7, first=4, user=3)])
    assert sorted(windows(test)) == sorted([*upto(8), *upto(8, first=4, user=3), *upto(6, first=4, user=4)])
    users, items = np.nonzero(train.inter_matrix().toarray())
    plays = {1: range(1, 7), 2: (3, 4), 3: (4, 5, 6), 4: (4, 5)}
    assert list(zip(users, items)) == [(user, item) for user in plays for item in plays[user]]
    assert list(zip(*np.nonzero(valid.inter_matrix().toarray()))) == [(1, 7), (3, 7)]
    assert list(zip(*np.nonzero(test.inter_matrix().toarray()))) == [(1, 8), (3, 8), (4, 6)]


def test_seq_split_by_ratio(load_windows):
    parts = load_windows(eval_args={"split": {"RS": [0.3, 0.3, 0.4]}, "order": "TO"})
    train, valid, test = map(windows, parts)
    assert sorted(train) == sorted([*upto(2, 3, 4), (2, [3], 4), *upto(5, 6, first=4, user=3), (4, [4], 5)])
    assert sorted(valid) == sorted([*upto(5, 6), *upto(7, first=4, user=3)])
    assert sorted(test) == sorted([*upto(7, 8), *upto(8, first=4, user=3), *upto(6, first=4, user=4)])


def test_seq_benchmark(load):
    head = "user_id:token item_id:token item_id_list:token_seq\n"
    files = {
        "train.inter": head + "a i1 i8\na i2 i8_i1\nb i3 i2\n",
        "valid.inter": head + "a i3 i8_i1_i2\n",
        "test.inter": head + "a i4 i8_i1_i2_i3\nb i8 i2_i3\n",
    }
    more = {"benchmark_filename": ["train", "valid", "test"], "alias_of_item_id": ["item_id_list"]}
    parts = load(files, model="GRU4Rec", train_neg_sample_args=None, **more).build()
    tokens = parts[0].field2id_token["item_id"]
    read = [
        [
            (user, "".join(tokens[row] for row in window), tokens[target])
            for user, window, target in windows(p)
        ]
        for p in parts
    ]
    assert read[0] == [(1, "i8", "i1"), (1, "i8i1", "i2"), (2, "i2", "i3")]
    assert read[1] == [(1, "i8i1i2", "i3")]
    assert read[2] == [(1, "i8i1i2i3", "i4"), (2, "i2i3", "i8")]


GRAPH = {
    "inter": "user_id:token item_id:token\nua ia\nub ib\nuc ic\nud id\n",
    "link": "item_id:token entity_id:token\nib eb\nic ec\nid ed\n",
    "kg": "head_id:token relation_id:token tail_id:token\neb ra ea\nec rb eb\ned ra ec\nee rb ed\n",
}


def test_kg_remap_id(load):
    dataset = load(GRAPH, model="CKE")
    assert dataset.token2id("item_id", ["ib", "ic", "id"]).tolist() == [1, 2, 3]
    assert dataset.token2id("entity_id", ["eb", "ec", "ed", "ee", "ea"]).tolist() == [1, 2, 3, 4, 5]
    assert dataset.inter_feat["user_id"].tolist() == dataset.inter_feat["item_id"].tolist() == [1, 2, 3]
    assert dataset.kg_feat["head_id"].tolist() == [1, 2, 3, 4]
    assert dataset.kg_feat["tail_id"].tolist() == [5, 1, 2, 3]


def test_kg_reverse_r(load):
    dataset = load(GRAPH, model="CKE", kg_reverse_r=True)
    assert dataset.token2id("relation_id", ["ra", "rb", "ra_r", "rb_r"]).tolist() == [1, 2, 3, 4]
    assert dataset.relation_num == 6  # the padding, and that of plays
    assert len(dataset.kg_feat) == 8


# ra three times, rb twice, rc once; entities are in 4 (ea), 3 (eb), 2 (ec, ed) and 1 (ee) of six triples
TRIPLES = (
    "head_id:token relation_id:token tail_id:token\n"
    "ea ra eb\nea rb ec\neb ra ed\ned ra ea\nea rc ee\neb rb ec\n"
)


def by_triples(name, entities, relations, left):
    return pytest.param(entities, relations, left, id=f"kg_filter_by_triple_num_in_{name}")


@pytest.mark.parametrize(
    ("entities", "relations", "left"),
    [
        by_triples("min_entity_kg_num", "[2,inf)", None, "ab ac bd da bc"),
        by_triples("min_relation_kg_num", None, "[2,inf)", "ab ac bd da bc"),
        by_triples("max_entity_kg_num", "(-inf,3]", None, "bd bc"),
        by_triples("max_relation_kg_num", None, "(-inf,2]", "ac ae bc"),
        by_triples("min_kg_num", "[2,inf)", "[2,inf)", "ab ac bd da bc"),
        by_triples("complex_way", "[2,4]", "[3,inf)", "ab bd da"),
    ],
)
def test_kg_filter(load, entities, relations, left):
    intervals = {"entity_kg_num_interval": entities, "relation_kg_num_interval": relations}
    dataset = load({**GRAPH, "kg": TRIPLES}, model="CKE", **intervals)
    ends = zip(names(dataset, "head_id", "kg_feat"), names(dataset, "tail_id", "kg_feat"))
    assert " ".join(head[1] + tail[1] for head, tail in ends) == left
