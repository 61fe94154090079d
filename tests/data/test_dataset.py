from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from helpers import SMALL, build, looping_plays, write_atomic
from recbole.data.dataset import SequentialDataset
from recbole.utils import FeatureSource

from recbole_popaware.config import Config
from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.errors import UsageError


def load(folder, plays, name="set", header=None, **more):
    write_atomic(folder, name, plays, header)
    settings = {**SMALL, "data_path": str(folder), "dataset": name, **more}
    return HistoryDataset(Config("PopSASRec", config_dict=settings, argv=()))


def samples(dataset):
    """(user, window, target) of every row as the file has them."""
    dataset._change_feat_format()
    users, items = dataset.field2id_token["user_id"], dataset.field2id_token["item_id"]
    return [
        (
            users[row["user_id"]],
            "".join(items[row["item_id_list"][: row["item_length"]]]),
            items[row["item_id"]],
        )
        for row in (dataset[i] for i in range(len(dataset)))
    ]


def plays_without_ties():
    """Plays of a toy, newest first, of which no two times round to one."""
    plays = [(u, i, time) for u, i, time in looping_plays() if hash((u, time)) % 5]
    plays = [(u, i, t + 1000 * n, 1 + n % 2) for n, (u, i, t) in enumerate(plays)]
    return plays[::-1]


def assert_same_rows(ours, stock):
    assert len(ours) == len(stock)
    rows = ours[np.arange(len(ours))]
    for field in stock.inter_feat:
        assert torch.equal(rows[field], stock.inter_feat[field]), field


def test_samples_equal_stock_augmentation(tmp_path):
    ours = load(tmp_path, plays_without_ties(), window_fields=["timestamp", "rating"])
    stock = SequentialDataset(ours.config)
    ours._change_feat_format()
    stock._change_feat_format()
    assert_same_rows(ours, stock)
    assert (ours.inter_matrix() != stock.inter_matrix()).nnz == 0
    assert (ours.inter_matrix(value_field="rating") != stock.inter_matrix(value_field="rating")).nnz == 0


@pytest.mark.parametrize(
    ("split", "group_by"),
    [
        ({"LS": "valid_and_test"}, "user"),
        ({"LS": "valid_only"}, "user"),
        ({"LS": "test_only"}, "user"),
        ({"RS": [0.8, 0.1, 0.1]}, "user"),
        ({"RS": [0.6, 0.2, 0.2]}, None),
    ],
)
def test_parts_equal_stock_parts(tmp_path, split, group_by):
    eval_args = {"split": split, "order": "TO", "group_by": group_by}
    fields = ["timestamp", "rating"]
    ours = load(tmp_path, plays_without_ties(), window_fields=fields, eval_args=eval_args)
    stock = SequentialDataset(ours.config)
    for our_part, stock_part in zip(ours.build(), stock.build()):
        assert_same_rows(our_part, stock_part)


def test_samples_take_the_same_memory_at_any_length(tmp_path):
    sizes = set()
    for length in (2, 200):
        dataset = load(tmp_path, plays_without_ties(), MAX_ITEM_LIST_LENGTH=length)
        dataset._change_feat_format()
        history = [column for column in dataset.history if column is not None]
        columns = {id(c): c for c in (*dataset.inter_feat.interaction.values(), *history)}
        columns.update({id(c): c for c in dataset.inter_feat.windows.columns.values()})
        sizes.add(sum(c.numel() * c.element_size() for c in columns.values()))
        assert dataset[[0, 1]]["item_id_list"].shape == (2, length)
    assert len(sizes) == 1


def test_list_fields_can_be_read_row_by_row_without_being_asked_for(tmp_path):
    """Stock's FEARec and models of users read them from ``inter_feat``."""
    dataset = load(tmp_path, plays_without_ties())
    dataset._change_feat_format()
    rows = dataset[[0, 7]]
    assert "timestamp_list" not in rows
    assert torch.equal(dataset.inter_feat["item_id_list"][np.array([0, 7])], rows["item_id_list"])
    assert torch.equal(dataset.inter_feat["item_id_list"][7], rows["item_id_list"][1])
    first = dataset.history.starts[rows["user_id"][1]]
    times = dataset.inter_feat["timestamp_list"][7]
    assert times[0] == dataset.inter_feat.windows.columns["timestamp_list"][first]


def test_rows_go_by_exact_time_where_stock_rounds_it(tmp_path):
    start = 1_700_000_000
    plays = [("u", "a", start), ("v", "a", start + 1), ("v", "b", start + 3), ("u", "b", start + 4)]
    dataset = load(tmp_path, plays, eval_args={"split": {"RS": [1, 0, 1]}, "order": "TO", "group_by": None})
    earlier, _, later = dataset.build()
    assert dataset.field2id_token["user_id"][earlier[0]["user_id"]] == "v"
    assert dataset.field2id_token["user_id"][later[0]["user_id"]] == "u"


@pytest.mark.parametrize("split", [{"LS": "valid_and_test"}, {"GTS": [0.6, 0.2, 0.2]}])
def test_nothing_of_the_log_is_kept_beside_the_history_once_it_is_split(tmp_path, split):
    dataset = load(tmp_path, plays_without_ties(), eval_args={"split": split, "order": "TO"})
    assert len(dataset.plays.items) == len(dataset.inter_feat)
    for part in (*dataset.build(), dataset):
        assert part.plays is None
        assert not part.inter_feat.exact


@pytest.mark.parametrize("split", [{"LS": "valid_and_test"}, {"GTS": [0.6, 0.2, 0.2]}])
def test_normalised_times_stay_exact_where_they_count(tmp_path, split):
    plays = [(user, item, 1_700_000_000 + 3 * n) for user in "uv" for n, item in enumerate("abcdefgh")]
    more = {"eval_args": {"split": split, "order": "TO"}, "pps_age": "hours", "pps_history": "full"}
    train, *_ = load(tmp_path, plays, normalize_field=["timestamp"], **more).build()
    assert train.history.times.tolist() == [time for _, _, time in plays]
    assert train.inter_feat["timestamp"].max() <= 1


def test_window_fields_must_be_there(tmp_path):
    with pytest.raises(UsageError, match=r"window_fields.*mood.*item_id, timestamp"):
        load(tmp_path, looping_plays(), window_fields=["mood"])._change_feat_format()


def test_plays_seconds_apart_keep_their_order(tmp_path):
    """Stock rounds times to 128 s and leaves the order of the file; here that is newest first."""
    start = 1_700_000_000
    plays = [("u", item, start - 10 * n) for n, item in enumerate("edcba")]
    plays += [("v", "a", start), ("v", "b", start + 1)]
    assert samples(load(tmp_path, plays))[:4] == [
        ("u", "a", "b"),
        ("u", "ab", "c"),
        ("u", "abc", "d"),
        ("u", "abcd", "e"),
    ]


def test_plays_at_the_same_time_keep_the_order_of_the_file(tmp_path):
    plays = [("u", "b", 7), ("u", "a", 7), ("u", "c", 7), ("v", "a", 1), ("v", "b", 2)]
    assert samples(load(tmp_path, plays))[:2] == [("u", "b", "a"), ("u", "ba", "c")]


def test_every_row_knows_where_its_history_ends(toy):
    experiment = build("PopSASRec", toy)
    history = experiment.dataset.history
    seen = set()
    for loader in (experiment.train_data, experiment.valid_data, experiment.test_data):
        for row in (loader.dataset[i] for i in range(len(loader.dataset))):
            end = int(row["history_end"])
            window = row["item_id_list"][: row["item_length"]]
            assert history.items[end] == row["item_id"]
            assert torch.equal(history.items[end - len(window) : end], window)
            seen.add(end)
    first_plays = set(history.starts[1:-1].tolist())
    assert seen == set(range(len(history.items))) - first_plays


@pytest.mark.parametrize("token", ["NA", "null", "nan", "None", '"', 'the "best', "-", "0", "a b"])
def test_ids_are_read_as_they_are(tmp_path, token):
    dataset = load(tmp_path, [(token, token, 1), (token, "x", 2), ("v", token, 3), ("v", "x", 4)])
    assert token in dataset.field2token_id["user_id"]
    assert token in dataset.field2token_id["item_id"]
    assert len(dataset.inter_feat) == 4


RATED = [
    (user, item, n, rating) for user in "uv" for n, (item, rating) in enumerate(zip("abcd", (1, -1, 2, 1)))
]


def test_filtered_rows_are_reported(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        dataset = load(tmp_path, RATED, val_interval={"timestamp": "(0,inf)"})
    assert len(dataset.inter_feat) == 4  # of the six later plays, two are negative
    assert "4 of 8 rows" in caplog.text


@pytest.mark.parametrize("more", [{}, {"normalize_field": ["rating"]}])
def test_only_positive_plays_count_in_recbole_s_splits(tmp_path, caplog, more):
    with caplog.at_level(logging.INFO):
        dataset = load(tmp_path, RATED, **more)
    assert samples(dataset) == [("u", "a", "c"), ("u", "ac", "d"), ("v", "a", "c"), ("v", "ac", "d")]
    assert "2 plays with a rating of 0 or less" in caplog.text


def test_a_missing_rating_is_a_play(tmp_path):
    plays = [("u", "a", 1, ""), ("u", "b", 2, -9), ("u", "c", 3, 1), ("v", "a", 1, 1), ("v", "b", 2, "")]
    assert samples(load(tmp_path, plays)) == [("u", "a", "c"), ("v", "a", "b")]


def test_ratings_must_be_numbers(tmp_path):
    header = "user_id:token\titem_id:token\ttimestamp:float\trating:token"
    with pytest.raises(UsageError, match=r"rating.*float"):
        load(tmp_path, RATED, header=header)


def test_missing_features_of_items_are_filled(tmp_path):
    write_atomic(tmp_path, "set", looping_plays())
    (tmp_path / "set" / "set.item").write_text(
        "item_id:token\tartist:token\tyear:float\tgenres:token_seq\tmood:float_seq\n"
        "i1\tA\t1990\tpop rock\t0.5 1\ni2\t\t2000\t\t\n"
        + "".join(f"i{n}\tB\t\tpop\t2\n" for n in (0, *range(3, 15)))
    )
    settings = {
        **SMALL,
        "data_path": str(tmp_path),
        "dataset": "set",
        "load_col": {"inter": ["user_id", "item_id", "timestamp"], "item": "*"},
    }
    experiment = build("PopSASRec", settings)
    features, ids = experiment.dataset.item_feat, experiment.dataset.field2token_id["item_id"]
    genres = experiment.dataset.field2id_token["genres"]
    assert experiment.dataset.field2source["artist"] == FeatureSource.ITEM
    assert features["year"][ids["i3"]] == 1995  # the mean of the known ones
    assert features["artist"][ids["i2"]] == 0
    assert list(genres[features["genres"][ids["i1"]]]) == ["pop", "rock"]
    assert features["genres"][ids["i2"]].tolist() == [0, 0]
    assert features["mood"][ids["i1"]].tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("plays", "header", "message"),
    [
        ([], "user_id:token\titem_id:token\ttimestamp:float", "no row"),
        ([("u", "a", 1), ("u", "b", 2)], None, "1 users"),
        ([("u", "a", 1), ("v", "a", 2)], None, "1 items"),
        ([("u", "a", 1), ("v", "b", 2)], None, "no user has two plays"),
        ([("u", "a", 1), ("v", "b", "")], None, "1 rows have no"),
        ([("u", "a", 1), ("v", "b", "noon")], None, "cannot be read"),
        ([("u", "a", 1)], "user_id:token\titem_id:token\tplayed:float", "lacks the column"),
        ([("u", "a", 1)], "user_id,item_id,timestamp", "name:type"),
        ([("u", "a", 1), ("u", "b", 2), ("v", "a", 1)], None, "too small to split"),
    ],
)
def test_data_that_cannot_work_get_one_clear_error(tmp_path, plays, header, message):
    write_atomic(tmp_path, "set", plays, header)
    with pytest.raises(UsageError, match=message):
        build("PopSASRec", {**SMALL, "data_path": str(tmp_path), "dataset": "set"})


def test_a_data_set_that_is_not_there_names_the_file_and_the_converter(tmp_path):
    settings = {**SMALL, "data_path": str(tmp_path), "dataset": "gone"}
    with pytest.raises(UsageError, match=r"gone\.inter.*dataset_converters"):
        build("PopSASRec", settings)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    file = write_atomic(tmp_path, "set", looping_plays())
    file.write_bytes(file.read_bytes() + b"caf\xe9\ti1\t5\n")
    with pytest.raises(UsageError, match=r"set\.inter"):
        build("PopSASRec", {**SMALL, "data_path": str(tmp_path), "dataset": "set"})
