"""Models without a network that know other users: numbers by hand, loops, and what they may not know."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import GTS, SMALL, build, looping_plays, save, write_atomic
from hypothesis import given
from hypothesis import strategies as st

from recbole_popaware import recommend
from recbole_popaware.errors import UsageError
from recbole_popaware.model.baskets import Baskets
from recbole_popaware.model.sequential_recommender.tifuknn import TIFUKNN
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.quick_start import load_data_and_model, run_recbole_popaware

NEW = ("DecayPop", "DecayedItemKNN", "TIFUKNN", "UPCF")
HOUR = 3600
# The last play is the test target and the one before it the validation target.
TIMELINES = {"ann": "a b a a c d", "bob": "a b b d e", "cyd": "c c d e a"}
GAPS = {"ann": 0, "bob": 1, "cyd": 2}  # hours by which a timeline begins later


def log_of(timelines):
    return [
        (user, item, 1_600_000_000 + HOUR * (GAPS[user] + n))
        for user, items in timelines.items()
        for n, item in enumerate(items.split())
    ]


@pytest.fixture
def three(tmp_path):
    write_atomic(tmp_path / "data", "three", log_of(TIMELINES))
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "three"}


def scores_of(experiment, part="test_data"):
    """Scores by name of user and item."""
    batch = next(iter(getattr(experiment, part)))[0]
    scores = experiment.model.full_sort_predict(batch)
    assert torch.equal(
        experiment.model.predict(batch), scores.gather(1, batch["item_id"].unsqueeze(1)).squeeze(1)
    )
    tokens = experiment.dataset.field2id_token
    users = tokens["user_id"][batch["user_id"].numpy()]
    return {user: dict(zip(tokens["item_id"][1:], row[1:].tolist())) for user, row in zip(users, scores)}


def test_plays_of_the_training_part_fade_by_their_age_in_hours(three):
    # training part: ann a0 b1 a2 a3, bob a1 b2 b3, cyd c2 c3 d4; the latest is at hour 4
    scores = scores_of(build("DecayPop", three, decay_hours=2))["ann"]
    weight = {age: 0.9 ** (age / 2) for age in range(5)}
    sums = {
        "a": weight[4] + weight[2] + weight[1] + weight[3],
        "b": weight[3] + weight[2] + weight[1],
        "c": weight[2] + weight[1],
        "d": weight[0],
    }
    assert scores == {
        **{item: pytest.approx(math.log(x / sums["a"]), abs=1e-6) for item, x in sums.items()},
        "e": -math.inf,
    }


def test_slow_fading_ranks_as_plain_counts(three):
    fading, plain = (
        scores_of(build(model, three, decay_hours=1e6))["ann"] for model in ("DecayPop", "MostPop")
    )
    for one in "abcd":
        for other in "abcd":
            assert plain[one] <= plain[other] or fading[one] > fading[other]


def test_an_item_is_its_own_neighbour(three):
    # plays of the training part by ann, bob, cyd; all plays of each have the length sqrt(10, 5, 5)
    vectors = {"a": [3, 1, 0], "b": [1, 2, 0], "c": [0, 0, 2], "d": [0, 0, 1]}
    scores = scores_of(build("DecayedItemKNN", three, decay_hours=1))
    # before her test target ann played a, b, a, a, c
    user = 0.9**4 * np.array(vectors["a"]) + 0.9**3 * np.array(vectors["b"])
    user += (0.9**2 + 0.9) * np.array(vectors["a"]) + np.array(vectors["c"])
    for item, vector in vectors.items():
        expected = (user * vector / np.sqrt([10, 5, 5])).sum()
        assert scores["ann"][item] == pytest.approx(expected, rel=1e-6)
    assert scores["ann"]["e"] == -math.inf


def test_baskets_are_cut_back_from_the_newest_play():
    items = torch.tensor([7, 1, 1, 2, 3, 2, 2, 5])
    history = PlayHistory(items, items, torch.tensor([0, 1, 8]))
    users, ends = torch.tensor([1, 0, 1]), torch.tensor([8, 1, 2])
    baskets = Baskets.of(history, users, ends, 3)
    listed = sorted(zip(*(column.tolist() for column in baskets[:3])))
    #  user 1: 1 | 1 2 3 | 2 2 5
    assert listed == [(0, 1, 1), (0, 1, 2), (0, 2, 0), (0, 2, 1), (0, 3, 1), (0, 5, 0), (1, 7, 0), (2, 1, 0)]
    assert baskets.sizes.tolist() == [3, 1, 1]
    newest = Baskets.of(history, users, ends, 3, newest=1)
    assert sorted(zip(newest.rows.tolist(), newest.items.tolist())) == [(0, 2), (0, 5), (1, 7), (2, 1)]


def test_profiles_fade_within_groups_and_between_them(three):
    settings = {
        "basket_plays": 1,
        "basket_groups": 2,
        "within_decay": 0.5,
        "group_decay": 0.1,
        "own_share": 1,
    }
    scores = scores_of(build("TIFUKNN", three, **settings))
    # ann: a b | a a c: two groups, the newer one with one basket more
    assert scores["ann"] == pytest.approx(
        {
            "a": (0.1 * 0.5 / 2 + (0.5**2 + 0.5) / 3) / 2,
            "b": 0.1 * 1 / 2 / 2,
            "c": 1 / 3 / 2,
            "d": 0,
            "e": 0,
        }
    )
    # bob: a b | b d, two each
    assert scores["bob"] == pytest.approx(
        {"a": 0.1 * 0.5 / 4, "b": 0.1 / 4 + 0.5 / 4, "c": 0, "d": 1 / 4, "e": 0}
    )


def test_the_nearest_user_shares_his_training_profile(three):
    settings = {"basket_plays": 9, "basket_groups": 1, "own_share": 0.75, "n_neighbours": 1}
    scores = scores_of(build("TIFUKNN", three, **settings))
    # one basket each: ann {a b c}, and from training bob {a b}, cyd {c d}, at distances 1 and sqrt(3)
    assert scores["ann"] == pytest.approx({"a": 1, "b": 1, "c": 0.75, "d": 0, "e": 0})


def test_more_neighbours_than_there_are_others_are_all_others(three):
    settings = {"basket_plays": 9, "basket_groups": 1, "own_share": 0.5, "n_neighbours": 99}
    scores = scores_of(build("TIFUKNN", three, **settings))
    assert scores["ann"] == pytest.approx({"a": 0.75, "b": 0.75, "c": 0.75, "d": 0.25, "e": 0})


def profile(items, n_groups, within, between, n_plays):
    """TIFU's profile of a history, basket by basket."""
    items = list(items)
    n_baskets = -(-len(items) // n_plays)
    cut = len(items) - (n_baskets - 1) * n_plays
    baskets = [items[:cut]] + [items[at : at + n_plays] for at in range(cut, len(items), n_plays)]
    n_groups = min(n_groups, n_baskets)
    size, more = divmod(n_baskets, n_groups)
    sizes = [size] * (n_groups - more) + [size + 1] * more
    groups = [[baskets.pop(0) for _ in range(size)] for size in sizes]
    found: dict[str, float] = {}
    for i, group in enumerate(groups, start=1):
        for j, basket in enumerate(group, start=1):
            for item in set(basket):
                weight = within ** (len(group) - j) / len(group) * between ** (n_groups - i) / n_groups
                found[item] = found.get(item, 0) + weight
    return found


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=25),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_profiles_equal_a_loop(items, n_groups, n_plays, within):
    model = TIFUKNN.__new__(TIFUKNN)
    torch.nn.Module.__init__(model)
    model.history = PlayHistory(torch.tensor(items), torch.tensor(items), torch.tensor([0, len(items)]))
    model.basket_plays, model.basket_groups = n_plays, n_groups
    model.within_decay, model.group_decay = within, 0.7
    dense = model._entries(torch.tensor([0]), torch.tensor([len(items)])).dense(1, 6)[0]
    expected = profile(items, n_groups, within, 0.7, n_plays)
    assert dense.tolist() == pytest.approx([expected.get(item, 0) for item in range(6)])


@pytest.mark.parametrize(("recent", "own_a"), [(None, 3 / 5), (2, 1 / 2)])
def test_recent_popularity_with_similar_users(three, recent, own_a):
    settings = {"basket_plays": 1, "recent_baskets": recent, "locality": 2, "asymmetry": 0.25}
    scores = scores_of(build("UPCF", three, **settings))["ann"]
    # ann {a b c}; in training bob a b b, cyd c c d
    bob = (2 / (3**0.25 * 2**0.75)) ** 2
    cyd = (1 / (3**0.25 * 2**0.75)) ** 2
    a_of_bob, b_of_bob = (0, 1) if recent else (1 / 3, 2 / 3)
    c_of_cyd = 1 / 2 if recent else 2 / 3
    assert scores["a"] == pytest.approx(own_a + bob * a_of_bob)
    assert scores["b"] == pytest.approx((0 if recent else 1 / 5) + bob * b_of_bob)
    assert scores["c"] == pytest.approx((1 / 2 if recent else 1 / 5) + cyd * c_of_cyd)
    assert scores["d"] == pytest.approx(cyd * (1 - c_of_cyd))
    assert scores["e"] == 0


def changed(plays, border):
    """The same log with other items from a point in time on, in the same order of first appearance."""
    return [(user, item if time < border else "i0", time) for user, item, time in plays]


@pytest.mark.parametrize("model", NEW)
def test_scores_know_nothing_of_plays_from_the_border_on(tmp_path, model):
    plays = sorted(looping_plays(), key=lambda play: play[2])  # items are numbered in this order
    border = 1_600_000_000 + 60 * 12  # 12 of 16 plays a user come before it
    settings = {
        **SMALL,
        "data_path": str(tmp_path),
        "dataset": "toy",
        "eval_args": {"split": {"GTS": [0.6, 0.15, 0.25]}},
    }
    results = []
    for log in (plays, changed(plays, border)):
        write_atomic(tmp_path, "toy", [(*play, 1) for play in log])
        experiment = build(model, settings)
        batch = next(iter(experiment.test_data))[0]
        results.append(experiment.model.full_sort_predict(batch))
    assert torch.equal(*results)


@pytest.mark.parametrize("model", NEW)
def test_scores_under_leave_one_out_know_no_target(tmp_path, model):
    """A user's own target changes nothing; the test target of nobody does."""
    settings = {**SMALL, "data_path": str(tmp_path), "dataset": "toy"}
    plays = looping_plays()
    last = max(time for *_, time in plays)
    results = []
    for log in (plays, [(user, "i0" if time == last else item, time) for user, item, time in plays]):
        write_atomic(tmp_path, "toy", log)
        experiment = build(model, settings)
        results.append(experiment.model.full_sort_predict(next(iter(experiment.test_data))[0]))
    assert torch.equal(*results)


@pytest.mark.parametrize("model", NEW)
@pytest.mark.parametrize("eval_args", [GTS, {}])
def test_a_model_runs_and_is_loaded_again(tmp_path, model, eval_args):
    write_atomic(tmp_path, "toy", looping_plays())
    settings = {
        **SMALL,
        "data_path": str(tmp_path),
        "dataset": "toy",
        "checkpoint_dir": str(tmp_path / "saved"),
    }
    if eval_args:
        settings["eval_args"] = eval_args
    result = run_recbole_popaware(model, config_dict=settings)
    assert 0 < result["test_result"]["recall@10"] <= 1
    loaded = load_data_and_model(result["checkpoint"])
    batch = next(iter(loaded.test_data))[0]
    assert loaded.model.full_sort_predict(batch).shape == (len(batch), loaded.dataset.item_num)


@pytest.mark.parametrize("model", NEW)
def test_a_data_set_without_histories_is_refused(three, model):
    experiment = build(model, three)
    experiment.dataset.history = None
    with pytest.raises(UsageError, match=f"{model} needs whole histories"):
        experiment.config.model_class(experiment.config, experiment.dataset)


def test_training_plays_are_those_before_the_targets(three):
    experiment = build("MostPop", three)
    dataset = experiment.train_data.dataset
    n_plays = dataset.training_ends() - dataset.history.starts[:-1]
    names = dataset.field2id_token["user_id"]
    assert dict(zip(names[1:], n_plays[1:].tolist())) == {"ann": 4, "bob": 3, "cyd": 3}


@pytest.mark.parametrize("model", NEW)
def test_lists_are_made_for_new_histories_too(three, tmp_path, model):
    """A known user with other plays, and a new one: scored by those plays and by the users of training."""
    file = save(model, {**three, "checkpoint_dir": str(tmp_path / "saved")})
    plays = [("zoe", "c", 9, 1), ("zoe", "c", 10, 1), ("ann", "b", 9, 1)]
    history = write_atomic(tmp_path, "new", [(u, i, 1_700_000_000 + HOUR * t, r) for u, i, t, r in plays])
    frame = recommend(file, topk=4, history=history)
    lists = frame.groupby("user_id")["item_id"].apply("".join).to_dict()
    assert lists.keys() == {"zoe", "ann"}
    if model == "DecayPop":
        assert lists["zoe"] == lists["ann"] == "abcd"
    else:
        assert (lists["zoe"][0], lists["ann"][0]) == ("c", "b")
