"""The global temporal split end to end: from a file to parts, histories and batches."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest
import torch
from helpers import GTS, ROOT, SMALL, TIMELINES, build, plays_of, write_atomic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbole_popaware.config import Config
from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.ranking import top_items


def parts(folder, plays, **more):
    write_atomic(folder, "set", plays)
    config = {**SMALL, "data_path": str(folder), "dataset": "set", "eval_args": GTS, **more}
    return HistoryDataset(Config("PopSASRec", config_dict=config, argv=())).build()


def drawn_rows(part):
    """{user: (history, {target: gain})} of an evaluation part, in the letters of the drawing."""
    users, items = part.field2id_token["user_id"], part.field2id_token["item_id"]
    seen = {}
    for number in range(len(part)):
        row = part[number]
        _, positions = part.history.before(row["user_id"].view(1), row["history_end"].view(1))
        targets = slice(*part.targets.starts[number : number + 2])
        seen[users[row["user_id"]]] = (
            "".join(items[part.history.items[positions].numpy()]),
            dict(zip(items[part.targets.items[targets].numpy()], part.targets.gains[targets].tolist())),
        )
        assert (
            "".join(items[row["item_id_list"][: row["item_length"]]]) == seen[users[row["user_id"]]][0][-8:]
        )
    return seen


def trained(part):
    """The (user, history, target) of every training row."""
    users, items = part.field2id_token["user_id"], part.field2id_token["item_id"]
    rows = [part[number] for number in range(len(part))]
    return sorted(
        (
            str(users[row["user_id"]]),
            "".join(items[row["item_id_list"][: row["item_length"]]]),
            str(items[row["item_id"]]),
        )
        for row in rows
    )


def test_the_timelines_of_the_documentation(tmp_path, caplog):
    assert TIMELINES in (ROOT / "docs" / "evaluation.md").read_text()
    with caplog.at_level(logging.INFO):
        train, valid, test = parts(tmp_path, plays_of(TIMELINES))
    assert trained(train) == [
        *(("ann", h, t) for h, t in (("a", "b"), ("ab", "a"), ("aba", "c"), ("abac", "a"))),
        *(("bob", h, t) for h, t in (("a", "b"), ("ab", "c"), ("abc", "b"))),
        ("cyd", "a", "b"),
    ]
    assert drawn_rows(valid) == {"ann": ("abaca", {"b": 1}), "bob": ("abcb", {"c": 1})}
    assert drawn_rows(test) == {"ann": ("abacab", {"a": 1, "e": 1}), "cyd": ("ab", {"a": 2})}
    assert (
        "validation: 2 users with 2 targets; left out: 1 users without a positive target, 1 users"
        in caplog.text
    )
    assert "test: 2 users with 3 targets; left out: 2 users without a positive target" in caplog.text


@pytest.mark.parametrize("targets", ["next", "last"])
def test_one_target_a_user(tmp_path, targets):
    _, valid, test = parts(tmp_path, plays_of(TIMELINES), targets=targets)
    assert drawn_rows(valid)["ann"] == ("abaca", {"b": 1})
    assert drawn_rows(test)["ann"] == ("abacab", {"a": 1} if targets == "next" else {"e": 1})


def test_the_protocol_of_the_paper(tmp_path):
    args = {"protocol": "paper", "valid_users": 1}
    train, valid, test = parts(tmp_path, plays_of(TIMELINES), **args)
    assert set(drawn_rows(test)) == {"ann", "cyd"}
    drawn = np.random.RandomState(31337).choice(["ann", "cyd"], 1, replace=False)[0]
    rows = trained(train)
    assert {user for user, *_ in rows} == {"ann", "cyd"}
    assert set(drawn_rows(valid)) == {drawn} & {"ann"}  # cyd has no target there
    assert (("ann", "abaca", "b") in rows) == (drawn == "cyd")


def test_each_difference_of_the_protocols_is_one_switch(tmp_path):
    plays = plays_of(TIMELINES)
    train, _, test = parts(tmp_path, plays, kept_users="eligible")
    assert {user for user, *_ in trained(train)} == set(drawn_rows(test)) == {"ann", "cyd"}
    train, valid, _ = parts(tmp_path, plays, valid_users=1)
    assert len(valid) == 1
    assert trained(train) == trained(parts(tmp_path, plays)[0])
    train, valid, _ = parts(tmp_path, plays, valid_users=1, train_until="test")
    assert len(valid) == 1
    assert len(train) == len(parts(tmp_path, plays)[0]) + 1  # the other's one positive play in between


def test_a_user_whose_targets_were_all_disliked_later_stays_in_the_paper_s_protocol(tmp_path):
    plays = plays_of(TIMELINES)
    plays = [(u, i, t, -1 if (u, i, r) == ("ann", "e", 1) else r) for u, i, t, r in plays]
    plays.append(("ann", "a", plays[-1][2] + 1, -2))
    assert set(drawn_rows(parts(tmp_path, plays)[2])) == {"cyd"}
    assert drawn_rows(parts(tmp_path, plays, kept_users="eligible")[2])["ann"][1] == {"a": 0}


def test_new_items_only(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        _, valid, test = parts(tmp_path, plays_of(TIMELINES), mask_history=True)
    assert drawn_rows(valid) == {}
    assert drawn_rows(test) == {"ann": ("abacab", {"e": 1})}
    assert "left out: 3 users without a positive target" in caplog.text


def test_item_plays_are_those_of_the_training_part(tmp_path):
    train, *_ = parts(tmp_path, plays_of(TIMELINES))
    names = train.field2id_token["item_id"][1:]
    counts = dict(zip(names, train.item_plays()[1:].tolist()))
    assert {item: count for item, count in counts.items() if count} == {"a": 5, "b": 4, "c": 2}


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_histories_lie_before_the_border_and_targets_do_not(tmp_path, seed):
    generator = random.Random(seed)
    plays = [
        (
            f"u{generator.randrange(5)}",
            f"i{generator.randrange(8)}",
            generator.randrange(40),
            generator.choice([2, 1, 1, -1]),
        )
        for _ in range(80)
    ]
    plays += [(f"u{n}", "i0", 0, 1) for n in range(2)]
    plays.sort(key=lambda play: play[2])  # so that ties keep the order of the file
    rules = {"train_until": generator.choice(["valid", "test"]), "valid_users": generator.choice([None, 2])}
    train, valid, test = parts(tmp_path, plays, **rules)
    users, items = (train.field2id_token[field] for field in ("user_id", "item_id"))
    times = sorted(play[2] for play in plays)
    test_border = times[int(0.8 * len(times))]
    times = [time for time in times if time < test_border]
    valid_border = times[int(0.75 * len(times))] if len(times) else test_border
    for part, start, end in ((valid, valid_border, test_border), (test, test_border, 10**9)):
        for number in range(len(part)):
            row = part[number]
            user = users[row["user_id"]]
            _, positions = part.history.before(row["user_id"].view(1), row["history_end"].view(1))
            history = items[part.history.items[positions].numpy()].tolist()
            assert history == [i for u, i, t, r in plays if u == user and t < start and r > 0]
            own = slice(*part.targets.starts[number : number + 2])
            targets = set(items[part.targets.items[own].numpy()])
            assert targets <= {i for u, i, t, r in plays if u == user and start <= t < end and r > 0}
    times = {user: [t for u, i, t, r in plays if u == user and r > 0] for user in {play[0] for play in plays}}
    for number in range(len(train)):
        row = train[number]
        position = int(row["history_end"] - train.history.starts[row["user_id"]])
        assert times[users[row["user_id"]]][position] < (
            valid_border if rules["train_until"] == "valid" else test_border
        )


@pytest.mark.parametrize("model", ["SASRec", "PopSASRec"])
def test_nothing_after_a_border_leaks_into_training_or_histories(tmp_path, model):
    """Shuffling all plays after the validation border changes no training batch and no history."""
    generator = random.Random(3)
    plays = [
        (f"u{n % 7}", f"i{generator.randrange(12)}", 60 * n, generator.choice([1, 1, 2, -1]))
        for n in range(300)
    ]
    cut = 180  # the validation border
    later = [(u, i, r) for u, i, _, r in plays[cut:]]
    generator.shuffle(later)
    shuffled = plays[:cut] + [(u, i, t, r) for (u, i, r), (_, _, t, _) in zip(later, plays[cut:])]
    seen = []
    for name, log in (("as_is", plays), ("shuffled", shuffled)):
        write_atomic(tmp_path, name, log)
        sampled = {
            "loss_type": "BPR",
            "train_neg_sample_args": {"distribution": "popularity", "sample_num": 1},
        }
        config = {**SMALL, "data_path": str(tmp_path), "dataset": name, "eval_args": GTS}
        experiment = build(model, {**config, **(sampled if model == "SASRec" else {"train_batch_size": 9})})
        np.random.seed(1)  # noqa: NPY002  # RecBole draws negatives from it
        batches = list(experiment.train_data)
        windows = {
            int(user): window.tolist()
            for user, window in zip(
                *(experiment.valid_data.dataset[:][f] for f in ("user_id", "item_id_list"))
            )
        }
        seen.append((batches, windows, experiment.train_data.dataset.item_plays()))
    (batches, windows, counts), (other_batches, other_windows, other_counts) = seen
    assert torch.equal(counts, other_counts)
    assert len(batches) == len(other_batches) > 1
    for batch, other in zip(batches, other_batches):
        assert set(batch.columns) == set(other.columns)
        for field in batch.columns:
            assert torch.equal(batch[field], other[field]), field
    both = windows.keys() & other_windows.keys()
    assert both
    assert all(windows[user] == other_windows[user] for user in both)


def golden_experiment(folder, golden, model, **more):
    write_atomic(folder, "golden", [(u, i, int(t), int(r)) for u, i, t, r in golden["events"]])
    config = {**SMALL, "data_path": str(folder), "dataset": "golden", "protocol": "paper", **more}
    return build(model, config)


def test_the_paper_s_protocol_agrees_with_the_published_program(tmp_path, golden):
    expected = golden["global_temporal_split"]
    experiment = golden_experiment(tmp_path, golden, "MostPop", valid_users=1)
    test = experiment.test_data.dataset
    users, items = (test.field2id_token[field] for field in ("user_id", "item_id"))
    assert sorted(users[test.inter_feat["user_id"]]) == expected["eligible_users"]
    events = [golden["events"][row] for row in expected["test_rows"]]
    wanted = {(u, i) for u, i, _, r in events if r > 0}
    rows, positions = test.targets.of_rows(torch.arange(len(test)))
    targets = set(zip(users[test.inter_feat["user_id"][rows]], items[test.targets.items[positions]]))
    assert targets <= wanted
    assert len(targets) > 100


def test_personalized_most_popular_agrees_with_the_published_program(tmp_path, golden):
    experiment = golden_experiment(
        tmp_path, golden, "PersonalizedMostPop", history_window=50, eval_batch_size=7
    )
    expected = golden["personalised_most_popular"]["scores"]
    dataset = experiment.test_data.dataset
    users, items = (dataset.field2id_token[field] for field in ("user_id", "item_id"))
    seen = {}
    for batch, *_ in experiment.test_data:
        rows, positions = dataset.history.before(batch["user_id"], batch["history_end"], 50)
        for row, item in zip(rows.tolist(), items[dataset.history.items[positions]]):
            counts = seen.setdefault(users[batch["user_id"][row]], {})
            counts[item] = counts.get(item, 0) + 1
    assert seen == expected


def test_personalized_most_popular_ranks_as_the_published_program(tmp_path, golden):
    """Equal counts go by the first play, and nothing but played items is recommended."""
    experiment = golden_experiment(tmp_path, golden, "PersonalizedMostPop", history_window=50)
    expected = golden["personalised_most_popular"]["scores"]  # in the order of the program's lists
    dataset = experiment.test_data.dataset
    users, items = (dataset.field2id_token[field] for field in ("user_id", "item_id"))
    for batch, *_ in experiment.test_data:
        ranked = top_items(experiment.model.full_sort_predict(batch), 60)
        for user, row in zip(users[batch["user_id"]], ranked):
            assert list(items[row[row > 0]]) == list(expected[user])


def test_most_popular_counts_as_the_published_program(tmp_path, golden):
    """Validated users' plays after the validation border count; the corrected protocol leaves them out."""
    counts = {}
    for until in ("test", "train"):
        experiment = golden_experiment(tmp_path, golden, "MostPop", valid_users=5, popularity_until=until)
        names = experiment.dataset.field2id_token["item_id"]
        plays = experiment.model.item_plays.tolist()
        counts[until] = {name: count for name, count in zip(names, plays) if count}
    assert counts["test"] == golden["most_popular"]
    assert sum(counts["train"].values()) < sum(counts["test"].values())


def test_validated_users_do_not_train_on_their_last_play(tmp_path, golden):
    rows = {}
    for held_out in (True, False):
        experiment = golden_experiment(tmp_path, golden, "MostPop", valid_users=5, hold_out_last=held_out)
        train = experiment.train_data.dataset
        rows[held_out] = set(train.inter_feat["history_end"].tolist())
    missing = rows[False] - rows[True]
    assert rows[True] < rows[False]
    assert len(missing) == 5
    valid = experiment.valid_data.dataset.inter_feat
    ends = dict(zip(valid["user_id"].tolist(), valid["history_end"].tolist()))
    last = {end - 1 for end in ends.values()}  # histories of validation hold that play
    assert last <= missing


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"eval_args": {"split": {"GTS": [0.8, 0.1]}}}, "three shares"),
        ({"eval_args": {"split": {"GTS": 0.8}}}, "three shares"),
        ({"eval_args": {"split": {"GTS": ["a", "b", "c"]}}}, "three shares"),
        ({"eval_args": {"split": {"GTS": [0.8, 0.1, 0.2]}}}, "sum to 1"),
        ({"eval_args": {"split": {"GTS": [1.1, -0.2, 0.1]}}}, "without a negative"),
        ({"eval_args": {"split": {"GTS": [0.9, 0.1, 0]}}}, "test must have some"),
        ({"eval_args": {**GTS, "mode": "uni100"}}, "mode is .*uni100"),
        ({"eval_args": {**GTS, "mode": {"valid": "uni100", "test": "full"}}}, "mode: full"),
        ({"eval_args": {**GTS, "order": "RO"}}, "order: TO"),
        ({"eval_args": {"split": {**GTS["split"], "LS": "test_only"}}}, "several splits"),
        ({"eval_args": {"split": {"LS": "test_only"}}, "mask_history": True}, "mask_history.*GTS"),
        ({"eval_args": {"split": {"LS": "test_only"}}, "protocol": "paper"}, "protocol.*GTS"),
        ({"targets": "first"}, "all, plays, next, last"),
        ({"eval_args": {"split": {"GTS": {"valid": 5}}}}, "test, from when on"),
        ({"eval_args": {"split": {"GTS": {"test": 5, "gap": -1}}}}, "of at least 0"),
        ({"eval_args": {"split": {"GTS": {"test": 5, "gaps": 1}}}}, "gap: 1800"),
        ({"protocol": "mine"}, "corrected, paper, yambda"),
        ({"kept_users": "all"}, "any, eligible, trained"),
        ({"train_until": "end"}, "valid, test"),
        ({"valid_users": 0}, "valid_users"),
        ({"mask_history": "yes"}, "mask_history"),
        ({"window_fields": "timestamp"}, "window_fields"),
    ],
)
def test_settings_that_cannot_work_get_one_clear_error(more, message):
    with pytest.raises(UsageError, match=message):
        Config("PopSASRec", config_dict={"eval_args": GTS, **more}, argv=())


def test_a_protocol_may_be_named_beside_the_data_and_its_switches_set_there(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.yaml").write_text("protocol: paper\nvalid_users: 128\n")
    config = Config("SASRec", "mine", config_dict={"data_path": str(tmp_path)}, argv=["--train_until=valid"])
    assert config["eval_args"]["split"] == {"GTS": [0.81, 0.09, 0.1]}
    assert (config["valid_users"], config["kept_users"], config["train_until"]) == (128, "eligible", "valid")


def test_files_split_beforehand_are_refused(tmp_path):
    (tmp_path / "set").mkdir()
    for part in ("train", "test"):
        (tmp_path / "set" / f"set.{part}.inter").write_text(
            "user_id:token\titem_id:token\ttimestamp:float\titem_id_list:token_seq\n"
            "u\ta\t1\tb a\nv\tb\t2\ta b\n"
        )
    config = {**SMALL, "data_path": str(tmp_path), "dataset": "set", "eval_args": GTS}
    config.update(benchmark_filename=["train", "train", "test"], load_col=None)
    with pytest.raises(UsageError, match="benchmark_filename"):
        build("SASRec", config)
