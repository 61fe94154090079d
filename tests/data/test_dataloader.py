from __future__ import annotations

import pytest
import torch
from helpers import GTS, SMALL, TIMELINES, build, plays_of, write_atomic
from recbole.data.dataloader import FullSortEvalDataLoader

from recbole_popaware.data.dataloader import MultiTargetEvalDataLoader
from recbole_popaware.plays.ragged import pad_rows
from recbole_popaware.quick_start import run_recbole_popaware


@pytest.fixture
def timelines(tmp_path):
    write_atomic(tmp_path / "data", "set", plays_of(TIMELINES))
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "set", "eval_args": GTS, "topk": [2]} | {
        "valid_metric": "NDCG@2"
    }


def letters(experiment, numbers):
    return "".join(
        "." if n == 0 else experiment.dataset.field2id_token["item_id"][n] for n in numbers.tolist()
    )


def test_a_batch_holds_all_targets_of_each_user_and_their_gains(timelines):
    experiment = build("MostPop", timelines)
    ((interaction, history_index, rows, items),) = experiment.test_data
    assert history_index is None
    assert rows.tolist() == [0, 0, 1]
    assert letters(experiment, items) == "aea"
    assert [letters(experiment, row) for row in interaction["target_items"]] == ["ae", "a."]
    assert interaction["target_gains"].tolist() == [[1, 1], [2, 0]]
    assert interaction["target_items"].dtype == torch.int64
    assert interaction["target_gains"].dtype == torch.float32
    assert letters(experiment, interaction["item_id"]) == "aa"  # the next one


def test_small_batches_hold_what_a_large_one_does(timelines):
    whole = build("MostPop", timelines)
    ((interaction, _, _, items),) = whole.test_data
    batches = list(build("MostPop", timelines, eval_batch_size=1).test_data)
    assert [len(batch) for batch, *_ in batches] == [1, 1]
    assert torch.cat([i for *_, i in batches]).equal(items)
    assert all(rows.unique().tolist() == [0] for *_, rows, _ in batches)
    ends = torch.cat([batch["history_end"] for batch, *_ in batches])
    assert ends.equal(interaction["history_end"])


def test_the_whole_history_is_masked_on_request_only(timelines):
    settings = {**timelines, "MAX_ITEM_LIST_LENGTH": 1}
    experiment = build("PersonalizedMostPop", settings, mask_history=True)
    ((_, (rows, items), *_),) = experiment.test_data
    assert rows.tolist() == [0] * 6
    assert letters(experiment, items) == "abacab"
    masked = run_recbole_popaware("PersonalizedMostPop", config_dict={**settings, "mask_history": True})
    assert masked["test_result"]["recall@2"] == 1.0  # d or e is what remains
    free = run_recbole_popaware("PersonalizedMostPop", config_dict=settings)
    assert free["test_result"]["recall@2"] == pytest.approx(0.75)  # ann: a of a, e; cyd: a


def test_recbole_s_loaders_serve_recbole_s_splits(timelines):
    experiment = build("MostPop", timelines, eval_args={"split": {"LS": "valid_and_test"}, "order": "TO"})
    assert type(experiment.test_data) is FullSortEvalDataLoader
    assert type(build("MostPop", timelines).test_data) is MultiTargetEvalDataLoader


@pytest.mark.parametrize("horizon", [1, 3, 1000])
def test_targets_lie_within_the_horizon_and_the_training_part(timelines, horizon):
    experiment = build("PopSASRec", timelines, train_horizon=horizon, MAX_ITEM_LIST_LENGTH=4)
    data, drawn = experiment.train_data.dataset, set()
    last = dict(zip(*(part.tolist() for part in data.target_ranges()[::2])))
    items = data.history.items.tolist()
    for _ in range(20):
        for batch in experiment.train_data:
            positions, _ = data.history.window(batch["user_id"], batch["history_end"], 4)
            for row, column in torch.nonzero(batch["next_items"]).tolist():
                start = int(positions[row, column]) + 1
                reach = items[start : min(start + horizon, last[int(batch["user_id"][row])] + 1)]
                target = int(batch["next_items"][row, column])
                assert target in reach
                drawn.add(reach.index(target))
    assert (len(drawn) > 1) == (horizon > 1)


def test_an_epoch_has_so_many_full_batches_at_most(tmp_path):
    plays = [(f"u{user}", f"i{play % 7}", play) for user in range(11) for play in range(9)]
    write_atomic(tmp_path, "set", plays)
    more = {
        **SMALL,
        "data_path": str(tmp_path),
        "dataset": "set",
        "train_windows": "one",
        "train_batch_size": 4,
    }
    for limit, sizes in ((None, [4, 4, 3]), (1, [4]), (5, [4, 4])):
        loader = build("PopSASRec", more, epoch_batches=limit).train_data
        assert [len(batch) for batch in loader] == sizes
        assert len(loader) == len(sizes)
    users = {user for _ in range(20) for batch in loader for user in batch["user_id"].tolist()}
    assert len(users) == 11, "windows are drawn anew"
    loader = build("PopSASRec", more, epoch_batches=3, train_batch_size=64).train_data
    assert [len(batch) for batch in loader] == [11], "no full batch: what there is"


def test_rows_are_padded_to_the_longest():
    rows, values = torch.tensor([0, 0, 2, 2, 2]), torch.tensor([5, 6, 7, 8, 9])
    assert pad_rows(rows, values, 4).tolist() == [[5, 6, 0], [0, 0, 0], [7, 8, 9], [0, 0, 0]]
    assert pad_rows(rows[:0], values[:0], 2).shape == (2, 0)
