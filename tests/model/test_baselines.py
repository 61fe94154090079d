from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import SMALL, build, write_atomic

from recbole_popaware.errors import UsageError
from recbole_popaware.model.sequential_recommender.personalizedmostpop import (
    PersonalizedMostPop,
    popularity_ranks,
    ranks_within_rows,
)
from recbole_popaware.plays.history import PlayHistory

# time order per user; the last play is the test target and the one before it the validation target
TIMELINES = {
    "ann": "c a b b a d e",  # before the test target: a 2 (latest), b 2, c 1, d 1 (latest)
    "bob": "e e e f f d g",
    "cyd": "h e f a f a",
}


@pytest.fixture
def three(tmp_path):
    plays = [
        (user, item, 1_600_000_000 + time)
        for user, items in TIMELINES.items()
        for time, item in enumerate(items.split())
    ]
    write_atomic(tmp_path / "data", "three", plays)
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "three"}


def ranked(experiment, batch):
    """Each user's items from best to worst, as the letters of the log."""
    scores = experiment.model.full_sort_predict(batch)[:, 1:]
    letters = experiment.dataset.field2id_token["item_id"][1:]
    names = experiment.dataset.field2id_token["user_id"][batch["user_id"].numpy()]
    order = scores.argsort(dim=1, descending=True, stable=True)
    return {name: "".join(letters[row]) for name, row in zip(names, order.numpy())}


def test_mostpop_counts_the_plays_of_the_training_part_only(three):
    experiment = build("MostPop", three)
    plays = experiment.model.item_plays
    names = experiment.dataset.field2id_token["item_id"]
    counted = dict(zip(names[1:], plays[1:].tolist()))
    # training part: all but each user's last two plays, the first play included
    assert counted == {"c": 1, "a": 3, "b": 2, "d": 0, "e": 4, "f": 3, "g": 0, "h": 1}
    batch = next(iter(experiment.test_data))[0]
    scores = experiment.model.full_sort_predict(batch)
    assert scores.shape == (3, experiment.dataset.item_num)
    assert torch.equal(scores[0], plays.float())
    assert torch.equal(experiment.model.predict(batch), plays[batch["item_id"]].float())


def test_personalized_lists_go_by_plays_then_recency_then_popularity(three):
    experiment = build("PersonalizedMostPop", three)
    lists = ranked(experiment, next(iter(experiment.test_data))[0])
    # ann: a and b twice, a the later; d and c once, d the later
    assert lists["ann"].startswith("abdc")
    assert lists["bob"].startswith("efd")
    assert lists["cyd"].startswith("faeh")


def test_the_rest_of_the_list_is_globally_popular(three):
    experiment = build("PersonalizedMostPop", three)
    lists = ranked(experiment, next(iter(experiment.test_data))[0])
    assert lists["ann"][4:6] == "ef"  # training plays: e 4, f 3, then h 1, g 0
    assert lists["ann"][6:] == "hg"


def test_history_window_counts_the_newest_plays(three):
    experiment = build("PersonalizedMostPop", three, history_window=2)
    lists = ranked(experiment, next(iter(experiment.test_data))[0])
    assert lists["ann"].startswith("da")
    assert lists["bob"].startswith("df")


def test_the_history_is_longer_than_the_window_of_the_samples(three):
    whole = build("PersonalizedMostPop", three)
    cut = build("PersonalizedMostPop", three, MAX_ITEM_LIST_LENGTH=1)
    batches = [next(iter(e.test_data))[0] for e in (whole, cut)]
    assert ranked(whole, batches[0]) == ranked(cut, batches[1])
    assert torch.equal(whole.model.item_plays, cut.model.item_plays)


def test_validation_histories_end_one_play_earlier(three):
    experiment = build("PersonalizedMostPop", three)
    batch = next(iter(experiment.valid_data))[0]
    assert ranked(experiment, batch)["ann"].startswith("abc")
    chosen = experiment.model.full_sort_predict(batch).gather(1, batch["item_id"].unsqueeze(1))
    assert torch.equal(experiment.model.predict(batch), chosen.squeeze(1))


def test_items_last_played_at_the_same_time_go_by_global_popularity(tmp_path):
    plays = [("u", "x", 1), ("u", "y", 1), ("u", "z", 2), ("u", "z", 3), ("u", "z", 4)]
    others = [(user, item, time) for user in "vw" for time, item in enumerate("yzxzz")]
    write_atomic(tmp_path, "ties", plays + [("v", "y", 0)] * 2 + others)
    settings = {**SMALL, "data_path": str(tmp_path), "dataset": "ties"}
    experiment = build("PersonalizedMostPop", settings)
    assert ranked(experiment, next(iter(experiment.test_data))[0])["u"] == "zyx"


def test_counts_agree_with_the_published_program(golden):
    """The last 50 positive plays before the test border, user by user."""
    reference, border = (
        golden["personalised_most_popular"],
        golden["global_temporal_split"]["test_border"],
    )
    plays = [e for e in golden["events"] if e[3] > 0 and e[2] < border]
    plays.sort(key=lambda e: (e[0], e[2]))  # stable: ties keep the order of the file
    names, items = sorted({e[0] for e in plays}), sorted({e[1] for e in plays})
    users = np.array([names.index(e[0]) for e in plays])
    store = PlayHistory.from_sorted(
        users,
        np.array([items.index(e[1]) for e in plays]),
        np.array([e[2] for e in plays]),
        len(names),
    )
    users, length = torch.arange(len(names)), reference["sequence_length"]
    counts = store.counts(users, store.starts[1:], len(items), length)
    scores: dict[str, dict[str, int]] = {name: {} for name in names}
    for row, item, plays_of_item in zip(counts.rows, counts.items, counts.plays.tolist()):
        scores[names[row]][items[item]] = plays_of_item
    assert {user: scores[user] for user in reference["scores"]} == reference["scores"]


def test_ranks_within_rows_sort_by_one_key_after_the_other():
    rows = torch.tensor([0, 0, 0, 2, 2])
    first, second = torch.tensor([5, 4, 5, 1, 1]), torch.tensor([0, 9, 1, 7, 3])
    assert ranks_within_rows(rows, first, second).tolist() == [1, 0, 2, 1, 0]


def test_popularity_ranks_break_ties_by_item_id():
    assert popularity_ranks(torch.tensor([0, 2, 5, 2])).tolist() == [0, 2, 3, 1]


def test_a_data_set_without_histories_is_refused(three):
    experiment = build("MostPop", three)
    experiment.dataset.history = None
    with pytest.raises(UsageError, match="whole histories"):
        PersonalizedMostPop(experiment.config, experiment.dataset)


@pytest.mark.parametrize("decay", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("offset", [None, 4.0])
@pytest.mark.parametrize("window", [None, 3])
def test_decayed_plays_equal_a_loop(three, decay, offset, window):
    settings = {"pps_decay": decay, "pps_offset": offset, "pps_epsilon": 0.2, "history_window": window}
    experiment = build("DecayedMostPop", three, **settings)
    batch = next(iter(experiment.test_data))[0]
    scores = experiment.model.full_sort_predict(batch)
    tokens = experiment.dataset.field2id_token
    for row, user in enumerate(tokens["user_id"][batch["user_id"].numpy()]):
        heard = TIMELINES[user].split()[:-1][-(window or 99) :]
        for item, name in enumerate(tokens["item_id"][1:], start=1):
            ages = [len(heard) - position for position, played in enumerate(heard) if played == name]
            c = offset or 0
            strength = sum(((age + c) / (1 + c)) ** -decay for age in ages)
            if ages:
                assert scores[row, item].item() == pytest.approx(np.log(strength / 0.2 + 1), rel=1e-5)
            else:
                assert scores[row, item] < 0


def test_strong_decay_ranks_by_the_latest_play(three):
    experiment = build("DecayedMostPop", three, pps_decay=9.0)
    batch = next(iter(experiment.test_data))[0]
    assert ranked(experiment, batch)["ann"].startswith("dabc")
