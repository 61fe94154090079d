from __future__ import annotations

import importlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import GTS, NEED_ITEM_IDS_ONLY, ROOT, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import load_data_and_model
from recbole_popaware.recommending import Options
from recbole_popaware.recommending.recommender import Recommender

OURS = ["PopSASRec", "PopGSASRec", "PopBERT4Rec", "MostPop", "PersonalizedMostPop"]
STOCK = ["GRU4Rec", "FPMC", "SHAN", "DIN"]  # plain, with user vectors, with turned windows, one item a row

# time order per user
TIMELINES = {"ann": "c a b b a d e", "bob": "e e e f f d g", "cyd": "h e f a f a"}


def timelines(tmp_path, toy):
    plays = [(u, i, 1_600_000_000 + t) for u, items in TIMELINES.items() for t, i in enumerate(items.split())]
    write_atomic(tmp_path / "data", "three", plays)
    return {**toy, "dataset": "three"}


def letters(frame, user):
    return "".join(frame[frame.user_id == user].item_id)


@pytest.fixture
def three(tmp_path, toy):
    return timelines(tmp_path, toy)


WEEK = 7 * 24 * 3600
BY_WEEKS = [  # the last two plays of each are held out
    ("ann", "old", 0),
    ("ann", "old", 1 * WEEK),
    ("ann", "new", 20 * WEEK),
    ("ann", "held", 30 * WEEK),
    ("ann", "held", 31 * WEEK),
    ("bob", "old", 2 * WEEK),
    ("bob", "new", 19 * WEEK),
    ("bob", "mid", 19 * WEEK),
    ("bob", "held", 30 * WEEK),
    ("bob", "held", 31 * WEEK),
]


@pytest.mark.parametrize("with_log", [True, False])
def test_who_has_no_plays_gets_what_is_popular_lately(toy, tmp_path, with_log):
    """A play counts 0.9 ^ (weeks before the newest training play); here that is week 20."""
    write_atomic(tmp_path / "data", "weeks", BY_WEEKS)
    file = save("PopSASRec", {**toy, "dataset": "weeks"})
    history = None
    if not with_log:
        shutil.rmtree(tmp_path / "data")
        history = "plays.parquet"
        pd.DataFrame({"user_id": ["zoe"], "item_id": "unknown", "timestamp": 1}).to_parquet(history)
    frame = recbole_popaware.recommend(file, ["zoe"], topk=4, history=history)
    assert frame.item_id.tolist() == ["new", "mid", "old", "held"]
    expected = [1 + 0.9, 0.9, 0.9**20 + 0.9**19 + 0.9**18, 0]
    np.testing.assert_allclose(frame.score, expected, rtol=1e-6)


def test_a_known_answer(three):
    frame = recbole_popaware.recommend(save("PersonalizedMostPop", three), topk=8)
    # all plays count, the last ones too; then by the plays of the training part: e 4, f 3, h 1, g 0
    assert letters(frame, "ann") == "abedcfhg"
    assert letters(frame, "bob") == "efgdabch"
    ann = frame[frame.user_id == "ann"]
    assert ann["rank"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert ann.plays.tolist() == [2, 2, 1, 1, 1, 0, 0, 0]
    assert ann.kind.tolist() == ["repeat"] * 5 + ["explore"] * 3
    assert ann.popularity_score.isna().all()
    assert (ann.model_score == ann.score).all()


def test_users_who_are_not_known_get_the_popular_items(three):
    frame = recbole_popaware.recommend(save("PersonalizedMostPop", three), ["zoe", "ann", "[PAD]"], topk=3)
    assert letters(frame, "zoe") == letters(frame, "[PAD]") == "efa"  # 4 training plays, 3 and 3, older ones
    assert letters(frame, "ann") == "abe"
    assert frame.user_id.tolist() == ["zoe"] * 3 + ["ann"] * 3 + ["[PAD]"] * 3
    zoe = frame[frame.user_id == "zoe"]
    assert zoe.score.round(4).tolist() == [4, 3, 3]
    assert set(zoe.kind) == {"popular"}
    assert zoe[["model_score", "popularity_score"]].isna().all(axis=None)
    assert zoe.plays.tolist() == [0, 0, 0]


def test_only_items_never_played(three):
    frame = recbole_popaware.recommend(
        save("PersonalizedMostPop", three), topk=5, options=Options(exclude_history=True)
    )
    assert letters(frame, "ann") == "fhg"  # there are no more
    assert frame[frame.user_id == "ann"]["rank"].tolist() == [1, 2, 3]
    assert set(frame.kind) == {"explore"}


def test_a_share_of_items_never_played(three):
    frame = recbole_popaware.recommend(
        save("PersonalizedMostPop", three), topk=4, options=Options(explore_share=0.3)
    )
    assert letters(frame, "ann") == "abfh"
    assert (frame[frame.kind == "explore"].groupby("user_id").size() == 2).all()


def test_calibrated_lists_have_the_user_s_own_share_of_new_items(three):
    file = save("PersonalizedMostPop", three)
    frame = recbole_popaware.recommend(file, [*TIMELINES, "zoe"], topk=4, calibrated=True)
    # With plays fading, .648 of all are new. Counted as 10 plays more: ann .674, bob .619, cyd .651.
    assert frame[frame.kind == "explore"].groupby("user_id").size().to_dict() == {
        "ann": 3,
        "bob": 2,
        "cyd": 3,
    }
    assert letters(frame, "ann") == "afhg"
    assert letters(frame, "bob") == "efab"
    assert letters(frame, "zoe") == letters(recbole_popaware.recommend(file, ["zoe"], topk=4), "zoe")


def test_in_calibrated_lists_everybody_is_who_is_in_the_data_set(three, tmp_path):
    file = save("PersonalizedMostPop", three)
    history = write_atomic(tmp_path, "new", [("zoe", item, time) for time, item in enumerate("abcdeabcde")])
    frame = recbole_popaware.recommend(file, topk=5, calibrated=True, history=history)
    # 4.539 of 9.403 faded plays, and 6.48 of 10: .568. With a file of zoe's plays as everybody's it is .483.
    assert frame.kind.tolist() == ["repeat"] * 2 + ["explore"] * 3


def score_by_hand(experiment, plays):
    """Scores of all users' latest windows, made without the store of plays."""
    dataset, length = experiment.dataset, experiment.config["MAX_ITEM_LIST_LENGTH"]
    number = dataset.field2token_id["item_id"]
    users = dataset.field2id_token["user_id"][1:]
    windows = [[number[item] for user, item, _ in plays if user == name][-length:] for name in users]
    rows = {
        "item_id_list": torch.tensor(windows),
        "item_length": torch.full((len(users),), length),
        "user_id": torch.arange(1, len(users) + 1),
    }
    with torch.no_grad():
        return users, experiment.model.full_sort_predict(rows)


@pytest.mark.parametrize("settings", [{}, GTS, {"popularity_head": "none"}, {"popularity_head": "sigmoid"}])
@pytest.mark.parametrize("model", ["PopSASRec", "PopGSASRec", "PopBERT4Rec"])
def test_scores_are_the_model_s_on_the_latest_window(toy, model, settings):
    file = save(model, toy, **settings)
    frame = recbole_popaware.recommend(file, topk=10)
    loaded = load_data_and_model(file)
    loaded.model.eval()
    users, scores = score_by_hand(loaded, looping_plays())
    number = loaded.dataset.field2token_id["item_id"]
    for name, row in zip(users, scores):
        actual = frame[frame.user_id == name]
        expected = row[[number[item] for item in actual.item_id]]
        np.testing.assert_allclose(actual.score, expected, rtol=1e-5, atol=1e-6)
        assert actual.score.is_monotonic_decreasing
    if settings.get("popularity_head") == "none":
        assert frame.popularity_score.isna().all()
    else:
        np.testing.assert_allclose(
            frame.score, frame.model_score + frame.popularity_score, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("model", OURS)
def test_plays_and_kinds_are_those_of_the_whole_history(toy, model):
    frame = recbole_popaware.recommend(save(model, toy, MAX_ITEM_LIST_LENGTH=5), topk=10)
    counts = pd.DataFrame(looping_plays(), columns=["user_id", "item_id", "time"])
    counts = (
        counts.groupby(["user_id", "item_id"])
        .size()
        .reindex(pd.MultiIndex.from_frame(frame[["user_id", "item_id"]]), fill_value=0)
    )
    assert frame.plays.tolist() == counts.tolist()
    assert (frame.kind == np.where(frame.plays > 0, "repeat", "explore")).all()


def test_the_weight_moves_from_the_network_to_the_counts(toy):
    file = save("PopSASRec", toy)
    default, network, counts = (
        recbole_popaware.recommend(file, topk=5, options=Options(popularity_weight=w)) for w in (1, 0, 50)
    )
    pd.testing.assert_frame_equal(default, recbole_popaware.recommend(file, topk=5))
    np.testing.assert_array_equal(network.score, network.model_score)
    assert (counts.kind == "repeat").all()
    assert network.item_id.tolist() != counts.item_id.tolist()
    np.testing.assert_allclose(
        counts.score, counts.model_score + 50 * counts.popularity_score, rtol=1e-5, atol=1e-5
    )


EVERY_OTHER = [pytest.param(m, marks=pytest.mark.slow) for m in NEED_ITEM_IDS_ONLY if m not in STOCK]


@pytest.mark.parametrize("model", [*OURS, *STOCK, *EVERY_OTHER])
def test_the_same_plays_as_a_new_history_give_the_same_lists(toy, model, tmp_path):
    more = {} if model in OURS else {"embedding_size": 8, "n_layers": 2, "reranker_CAN_NUM": 5}
    file = save(model, toy, **more)
    expected = recbole_popaware.recommend(file, topk=10)
    assert len(expected) == 12 * 10
    history = tmp_path / "data" / "toy" / "toy.inter"
    actual = recbole_popaware.recommend(file, topk=10, options=Options(history=history))
    pd.testing.assert_frame_equal(actual, expected)


@pytest.mark.parametrize("model", [*OURS, "GRU4Rec"])
def test_new_users_are_scored_by_their_plays(toy, model, tmp_path):
    file = save(model, toy, eval_args=GTS)
    expected = recbole_popaware.recommend(file, topk=10)
    plays = [(f"new {user}", item, time) for user, item, time in looping_plays()]
    later_first = sorted(plays, key=lambda play: -play[2])
    history = write_atomic(tmp_path, "later", later_first)
    options = Options(history=history)
    actual = recbole_popaware.recommend(file, topk=10, options=options)
    expected["user_id"] = "new " + expected.user_id
    key = ["user_id", "rank"]
    pd.testing.assert_frame_equal(
        actual.sort_values(key, ignore_index=True), expected.sort_values(key, ignore_index=True)
    )
    assert set(recbole_popaware.recommend(file, ["u0"], options=options).kind) == {"popular"}


def test_what_a_new_history_holds_besides_is_counted(toy, tmp_path, caplog):
    header = "user_id:token\titem_id:token\ttimestamp:float\trating:float\tnote:token"
    plays = [
        ("a", "i8", 2, 1, "x"),
        ("a", "i2", 1, "", "a play without a rating is a play"),
        ("a", "other", 3, 1, "x"),
        ("a", "i0", 4, -1, "x"),
        ("", "i0", 4, 1, "x"),
        ("a", "i0", "", 1, "x"),
        ("b", "other", 3, 1, "x"),
    ]
    history = write_atomic(tmp_path, "new", plays, header)
    made = Recommender(save("PersonalizedMostPop", toy), 2, Options(history=history))
    messages = [record.message.split(": ")[1] for record in caplog.records if "left out" in record.message]
    assert messages == [
        "1 of 7 plays are left out, without a user",
        "2 of 7 plays are left out, of items that the model does not know",
        "1 of 7 plays are left out, with a rating of 0 or less",
        "1 of 7 plays are left out, without a time",
    ]
    frame = made.collect(*made.select("all")).to_pandas()
    assert letters(frame, "a") == "i8i2"
    assert frame[frame.user_id == "b"].kind.tolist() == ["popular"] * 2


def test_users_with_skips_only_have_no_history(toy, tmp_path):
    ratings = [-1 if user == "u3" else 1 for user, _, _ in looping_plays()]
    write_atomic(tmp_path / "data", "toy", [(*p, r) for p, r in zip(looping_plays(), ratings)])
    frame = recbole_popaware.recommend(save("PopSASRec", toy, eval_args=GTS))
    assert set(frame[frame.user_id == "u3"].kind) == {"popular"}
    assert "popular" not in set(frame[frame.user_id != "u3"].kind)


def test_batches_change_nothing(toy):
    file = save("PopSASRec", toy)
    users = ["u1", "who", "u2", "u3", "nobody", "nobody else", "u1"]
    whole = recbole_popaware.recommend(file, users, topk=4)
    made = Recommender(file, 4, Options(batch_size=2))
    tables = list(made.tables(*made.select(users)))
    assert [len(table) for table in tables] == [8, 8, 8]  # u1 is named twice
    pd.testing.assert_frame_equal(made.collect(*made.select(users)).to_pandas(), whole)


def test_what_does_not_fit_the_model_is_refused(toy, tmp_path):
    file = save("PersonalizedMostPop", toy)
    with pytest.raises(UsageError, match="10 items"):
        recbole_popaware.recommend(file, topk=11)
    with pytest.raises(UsageError, match="no popularity head"):
        recbole_popaware.recommend(file, options=Options(popularity_weight=2))
    history = write_atomic(tmp_path, "h", [("a", 1)], "user_id:token\ttimestamp:float")
    with pytest.raises(UsageError, match=r"item_id:token.*but has user_id:token"):
        recbole_popaware.recommend(file, options=Options(history=history))
    windows = save("GRU4Rec", toy, window_fields=["timestamp"])
    with pytest.raises(UsageError, match="timestamp"):
        recbole_popaware.recommend(windows, options=Options(history=tmp_path / "data" / "toy" / "toy.inter"))
    assert len(recbole_popaware.recommend(windows)) == 120


def test_scores_that_are_no_numbers_are_refused(toy):
    file = save("GRU4Rec", toy)
    checkpoint = torch.load(file)
    checkpoint["state_dict"]["item_embedding.weight"][3] = torch.nan
    torch.save(checkpoint, file)
    with pytest.raises(UsageError, match="not numbers"):
        recbole_popaware.recommend(file)


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import recbole_popaware.recommending, sys; print({'torch', 'pandas', 'recbole'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "set()\n"
    assert callable(recbole_popaware.recommend)
    with pytest.raises(ImportError, match="is a function"):
        importlib.import_module("recbole_popaware.recommend")
    with pytest.raises(AttributeError, match="nothing"):
        recbole_popaware.nothing  # noqa: B018  # reading it is the test
