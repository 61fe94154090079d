"""RecBole's tests/data/test_dataloader.py: what batches hold, in training and in evaluation."""

from __future__ import annotations

import pytest
import torch
from either_recbole import create_dataset, data_preparation, make_config, write_tables
from recbole.data.dataloader.general_dataloader import FullSortEvalDataLoader, NegSampleEvalDataLoader

N_ITEMS = 60
INTER = "user_id:token item_id:token timestamp:float\n"
ONE_USER = INTER + "".join(f"a i{play} {play}\n" for play in range(1, 31))
LABELLED = "user_id:token item_id:token timestamp:float rating:float\n" + "".join(
    f"a i{play} {play} {play % 6}\n" for play in range(1, 31)
)
PRICES = "item_id:token price:float\n" + "".join(f"i{n} {n}\n" for n in range(1, N_ITEMS + 1))
PAIRWISE = {"distribution": "uniform", "sample_num": 1}


@pytest.fixture
def loaders(tmp_path):
    def make(files, model="BPR", mode="full", **more):
        split = {"split": {"RS": [0.8, 0.1, 0.1]}, "order": "TO", "mode": mode}
        settings = {**write_tables(tmp_path, files), "eval_args": split, "normalize_all": False, **more}
        config = make_config(model, "set", train_batch_size=6, shuffle=False, **settings)
        return data_preparation(config, create_dataset(config))

    return make


ONE = {"inter": ONE_USER, "item": PRICES}


def test_general_dataloader(loaders):
    of_values = {"metrics": ["AUC"], "valid_metric": "AUC", "threshold": {"rating": 3}}
    more = {"mode": "labeled", "train_neg_sample_args": None, "eval_batch_size": 2, **of_values}
    train, valid, test = loaders({"inter": LABELLED}, model="NeuMF", **more)
    batches = [batch["item_id"].tolist() for batch in train]
    assert batches == [list(range(n, n + 6)) for n in range(1, 25, 6)]
    for part, items in ((valid, [[25, 26], [27]]), (test, [[28, 29], [30]])):
        assert [batch[0]["item_id"].tolist() for batch in part] == items


def test_general_neg_sample_dataloader_in_pair_wise(loaders):
    train, _, _ = loaders(ONE, train_neg_sample_args=PAIRWISE)
    drawn = torch.cat([batch["neg_item_id"] for batch in train])
    assert torch.cat([batch["item_id"] for batch in train]).tolist() == list(range(1, 25))
    assert ((drawn > 24) & (drawn <= N_ITEMS)).all()
    for batch in train:
        assert (batch["item_id"] == batch["price"]).all()
        assert (batch["neg_item_id"] == batch["neg_price"]).all()


def test_general_neg_sample_dataloader_in_point_wise(loaders):
    train, _, _ = loaders(ONE, model="DMF", train_neg_sample_args=PAIRWISE)
    played = []
    for batch in train:
        half = len(batch) // 2
        assert batch["label"].tolist() == [1] * half + [0] * half
        assert (batch["item_id"] == batch["price"]).all()
        drawn = batch["item_id"][half:]
        assert ((drawn > 24) & (drawn <= N_ITEMS)).all()
        played += batch["item_id"][:half].tolist()
    assert played == list(range(1, 25))


THREE = {
    "inter": INTER
    + "".join(f"a i{n} {n}\n" for n in range(1, 21))  # 16, 2 and 2 plays
    + "".join(f"b i{1 + (n + 4) % 10} {n}\n" for n in range(10))  # 8, 1, 1; begins with i5
    + "c i1 1\n",
    "item": PRICES,
}


def test_general_full_dataloader(loaders):
    _, valid, test = loaders(THREE, train_neg_sample_args=PAIRWISE, eval_batch_size=100)
    played_by_b = [5, 6, 7, 8, 9, 10, 1, 2, 3, 4]
    expected = {
        "valid": {1: (range(1, 17), [17, 18]), 2: (played_by_b[:8], [3])},
        "test": {1: (range(1, 19), [19, 20]), 2: (played_by_b[:9], [4])},
    }
    for part, of_users in zip((valid, test), expected.values()):
        found = {}
        for users, (rows, items), positive_rows, positives in part:
            for row, user in enumerate(users["user_id"].tolist()):
                found[user] = items[rows == row].tolist(), positives[positive_rows == row].tolist()
        assert found.keys() == of_users.keys()
        for user, (history, targets) in of_users.items():
            assert sorted(found[user][0]) == sorted(history)
            assert sorted(found[user][1]) == targets


@pytest.mark.parametrize(
    ("size", "batch", "n_batches"),
    [
        pytest.param(21, 42, 2, id="general_uni100_dataloader_with_batch_size_in_101"),
        pytest.param(63, 63, 1, id="general_uni100_dataloader_with_batch_size_in_303"),
    ],
)
def test_drawn_items(loaders, size, batch, n_batches):
    """20 items are drawn against each play; a user's plays stay in one batch."""
    _, valid, test = loaders(THREE, mode="uni20", train_neg_sample_args=PAIRWISE, eval_batch_size=size)
    targets = {1: [17, 18], 2: [3]}, {1: [19, 20], 2: [4]}
    known = {1: range(1, 19), 2: {*range(5, 11), 1, 2, 3}}, {1: range(1, 21), 2: range(1, 11)}
    for part, of_users, not_drawn in zip((valid, test), targets, known):
        assert part._batch_size == batch
        assert len(part) == len(list(part)) == n_batches
        for users, rows, positive_rows, positives in part:
            for row in rows.unique():
                items = users["item_id"][rows == row].tolist()
                (user,) = users["user_id"][rows == row].unique().tolist()
                wanted = of_users[user]
                assert sorted(positives[positive_rows == row].tolist()) == wanted
                assert items[: len(wanted)] == wanted
                assert len(items) == 21 * len(wanted)
                assert not set(items[len(wanted) :]) & set(not_drawn[user])


def test_general_diff_dataloaders_in_valid_test_phases(loaders):
    _, valid, test = loaders(ONE, mode={"valid": "uni20", "test": "full"})
    assert isinstance(valid, NegSampleEvalDataLoader)
    assert isinstance(test, FullSortEvalDataLoader)


def test_general_diff_eval_neg_sample_args_in_valid_test_phases(loaders):
    _, valid, test = loaders(ONE, mode={"valid": "uni10", "test": "pop20"})
    for part, distribution, number in ((valid, "uniform", 10), (test, "popularity", 20)):
        assert isinstance(part, NegSampleEvalDataLoader)
        assert part.neg_sample_args["distribution"] == distribution
        assert part.neg_sample_args["sample_num"] == number
