"""Training on from a checkpoint, with new plays, new items and another numbering."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import GTS, arguments, build, looping_plays, write_atomic

import recbole_popaware
from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.cli import main
from recbole_popaware.errors import UsageError
from recbole_popaware.extending import Known
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.utils import get_trainer

BEFORE = looping_plays(n_users=13, n_items=31)
NEW = [(f"u{n}", f"new{n % 3}", 1_600_001_000 + 60 * k + n) for n in range(13) for k in range(4)]
NOW = [play for play in BEFORE[::-1] if play[1] != "i5"] + NEW  # the last user first: other numbers
MODELS = [
    ("PopSASRec", {"share_embeddings": False}),
    ("PopSASRec", {"output": "countnet", "pps_learn": ["alpha", "eps"]}),
    ("PopBERT4Rec", {}),
    ("PopGSASRec", {"table_optimizer": "sparse_adam", "negatives": 8}),
    ("PopSASRec", {"popularity_head": "replay", "eval_args": GTS}),
    ("PopOnly", {"eval_args": GTS}),
    ("PopGRU4Rec", {"embedding_size": 8}),
    ("PopRepeatNet", {"embedding_size": 8}),
    ("GRU4Rec", {"embedding_size": 8}),
]
PER_ITEM = {
    "item_embedding.weight",
    "output_embedding.weight",
    "output_bias",
    "replay.scorer.values",
    "item_matrix.weight",
    "explore_recommendation_decoder.matrix_for_explore.weight",
}


def train(model, toy, plays, **more):
    write_atomic(Path(toy["data_path"]), "toy", plays)
    return run_recbole_popaware(model, config_dict={**toy, **more})["checkpoint"]


def by_id(file):
    """Weights that have a row for each item as dictionaries by its id, and all others."""
    checkpoint = read_checkpoint(file)
    ids = ["[PAD]", *checkpoint["catalogue"]["item_ids"].split("\n")]
    tables, others = {}, {}
    for name, weight in checkpoint["state_dict"].items():
        if name in PER_ITEM:
            tables[name] = dict(zip([*ids, "mask"], weight))
        else:
            others[name] = weight
    return tables, others


@pytest.mark.parametrize(("model", "settings"), MODELS)
def test_rows_of_known_items_and_all_other_weights_are_those_of_before(toy, model, settings):
    before = train(model, toy, BEFORE, **settings)
    now = train(model, toy, NOW, **settings, epochs=0, extend_from=before)
    fresh = train(model, toy, NOW, **settings, epochs=0)
    (tables, others), (tables_now, others_now), (drawn, _) = map(by_id, (before, now, fresh))
    assert tables
    assert others.keys() == others_now.keys()
    for name, weight in others.items():
        assert torch.equal(weight, others_now[name]), name
    for name, rows in tables.items():
        for item, row in tables_now[name].items():
            expected = drawn[name] if item.startswith("new") else rows
            assert torch.equal(row, expected[item]), (name, item)
        assert {item for item in tables_now[name] if item.startswith("new")} == {"new0", "new1", "new2"}
        assert "i5" not in tables_now[name]


@pytest.mark.parametrize(("model", "settings"), [MODELS[0], MODELS[2], MODELS[6]])
def test_lists_without_training_are_those_of_before_apart_from_new_items(toy, model, settings):
    before = train(model, toy, BEFORE, **settings)
    frame = pd.DataFrame(BEFORE, columns=["user_id", "item_id", "timestamp"])
    frame[frame.item_id != "i5"].to_parquet("plays.parquet")
    expected = recbole_popaware.recommend(before, topk=31, history="plays.parquet")
    now = train(model, toy, NOW, **settings, epochs=0, extend_from=before)
    actual = recbole_popaware.recommend(now, topk=33, history="plays.parquet")
    assert actual.item_id.str.startswith("new").sum() == 13 * 3
    both = [lists[~lists.item_id.str.contains("new|^i5$")] for lists in (expected, actual)]
    for column in ("user_id", "item_id", "plays", "kind"):
        assert both[0][column].tolist() == both[1][column].tolist()
    for column in ("model_score", "popularity_score"):
        scores = [torch.from_numpy(lists[column].to_numpy()) for lists in both]
        torch.testing.assert_close(*scores, rtol=1e-5, atol=1e-6)


def test_training_goes_on_from_there_and_nothing_else_changes_lists(toy):
    """The same training from first weights that are put together by hand ends with the same weights."""
    settings = {"epochs": 3, "share_embeddings": False}
    before = train("PopSASRec", toy, BEFORE, **settings)
    now = train("PopSASRec", toy, NOW, **settings, extend_from=before)
    by_hand = build("PopSASRec", toy, **settings)
    ids = by_hand.dataset.field2id_token["item_id"]
    tables, others = by_id(before)
    state = by_hand.model.state_dict()
    for name, weight in others.items():
        state[name].copy_(weight)
    for name, rows in tables.items():
        for number, item in enumerate(ids):
            if item in rows:
                state[name][number] = rows[item]
    trainer = get_trainer(by_hand.config["MODEL_TYPE"], "PopSASRec")(by_hand.config, by_hand.model)
    trainer.fit(by_hand.train_data, by_hand.valid_data, verbose=False)
    trainer.tensorboard.close()
    expected, actual = (read_checkpoint(f)["state_dict"] for f in (trainer.saved_model_file, now))
    for name, weight in expected.items():
        assert torch.equal(weight, actual[name]), name
    (earlier, _), (later, _) = by_id(before), by_id(now)
    table = "output_embedding.weight"
    assert not torch.equal(earlier[table]["i1"], later[table]["i1"])


def test_new_plays_bring_new_items_into_lists_of_old_histories(toy):
    before = train("PopSASRec", toy, BEFORE, epochs=5)
    pd.DataFrame(BEFORE, columns=["user_id", "item_id", "timestamp"]).to_parquet("plays.parquet")
    after_old_ones = [(user, "new0", time + 1) for user, _, time in BEFORE]
    plays = sorted([*NOW, *after_old_ones], key=lambda play: play[2])
    lists = {}
    for epochs in (0, 20):
        file = train("PopSASRec", toy, plays, epochs=epochs, extend_from=before, popularity_head="none")
        lists[epochs] = recbole_popaware.recommend(file, topk=3, history="plays.parquet")
    have_it = {epochs: 3 * frame.item_id.eq("new0").mean() for epochs, frame in lists.items()}
    assert have_it[20] > 0.9
    assert have_it[0] < 0.3


def test_dropped_items_are_said_with_their_number(toy, caplog):
    before = train("PopSASRec", toy, BEFORE)
    train("PopSASRec", toy, NOW, epochs=0, extend_from=before)
    assert caplog.messages == [f"{before}: 1 of its 31 items are not in the data and are dropped"]


def test_mistakes_are_one_line(toy, capsys):
    write_atomic(Path(toy["data_path"]), "toy", BEFORE)
    of_user = train("FPMC", toy, BEFORE, embedding_size=8)
    nothing = train("MostPop", toy, BEFORE)
    file = train("PopSASRec", toy, BEFORE)
    old = torch.load(file, weights_only=True)
    torch.save({**old, "catalogue": None}, "old.pth")
    cases = [
        ("PopSASRec", {"extend_from": "nowhere.pth"}, "nowhere.pth is not there"),
        ("PopBERT4Rec", {"extend_from": file}, "is of model PopSASRec, not PopBERT4Rec"),
        ("PopSASRec", {"extend_from": file, "hidden_size": 4}, "[item_embedding.weight] is (32, 8) there"),
        ("PopSASRec", {"extend_from": file, "n_layers": 2}, "only here is a [trm_encoder.layer.1."),
        ("PopSASRec", {"extend_from": "old.pth"}, "holds no item ids"),
        ("PopSASRec", {"extend_from": file, "resume_from": file}, "leave one out"),
        ("FPMC", {"extend_from": of_user, "embedding_size": 8}, "a vector for each user (UI_emb)"),
        ("MostPop", {"extend_from": nothing}, "learns nothing"),
    ]
    capsys.readouterr()
    for model, more, message in cases:
        assert main([f"--model={model}", *arguments(toy, **more)]) == 2
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1, printed
        assert message in printed


def test_as_many_items_as_the_model_is_wide_cannot_be_told_apart(toy):
    of_as_many = {"inner_size": 32}  # 31 items and the padding
    file = train("PopSASRec", toy, BEFORE, **of_as_many)
    train("PopSASRec", toy, BEFORE, extend_from=file, epochs=0, **of_as_many)  # the same numbers
    with pytest.raises(UsageError, match="also a width of the model"):
        train("PopSASRec", toy, BEFORE[::-1], extend_from=file, **of_as_many)


def test_rows_that_belong_to_items():
    known = Known.of(["[PAD]", "a", "b", "c"], ["[PAD]", "d", "c", "a", "e"])
    assert (known.now.tolist(), known.before.tolist()) == ([0, 2, 3], [0, 3, 1])
    before, now = torch.arange(10.0).view(5, 2), -torch.arange(12.0).view(6, 2)  # the last row is the mask's
    assert known.has_rows(before, now)
    assert known.grown(before, now).tolist() == [[0, 1], [-2, -3], [6, 7], [2, 3], [-8, -9], [8, 9]]
    for shapes in (((4, 2), (4, 2)), ((4, 2), (6, 2)), ((4, 2), (5, 3)), ((3, 2), (4, 2)), ((4,), (5, 1))):
        assert not known.has_rows(*map(torch.zeros, shapes)), shapes
