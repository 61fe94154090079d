"""Lists from parquet histories, without the log of the training, and in parts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers import GTS, looping_plays, save, write_atomic

import recbole_popaware
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending import Options, parts
from recbole_popaware.recommending.__main__ import main
from recbole_popaware.recommending.recommender import Recommender

PLAYS = looping_plays(n_users=23, n_items=40)
LIGHT = [
    ("PopSASRec", {}),
    ("PopGSASRec", {"pps_history": "full"}),
    ("PopBERT4Rec", {"pps_decay": 0.5, "pps_age": "hours", "pps_history": 5}),
    ("PopSASRec", {"popularity_head": "none", "eval_args": GTS}),
]


def frame_of(plays):
    return pd.DataFrame(plays, columns=["user_id", "item_id", "timestamp"])


def write_folder(folder, n=5, plays=PLAYS):
    """A file of plays for every n-th user."""
    frame = frame_of(plays)
    bucket = frame.user_id.str[1:].astype(int) % n
    for number, part in frame.groupby(bucket):
        file = folder / f"bucket={number}" / "part-0.parquet"
        file.parent.mkdir(parents=True)
        part.to_parquet(file, index=False)
    (folder / "_SUCCESS").touch()
    pq.write_table(pa.table(frame.iloc[:0]), folder / "empty.parquet")
    return folder


def in_order(frame):
    return frame.sort_values(["user_id", "rank"], ignore_index=True)


@pytest.fixture
def file(toy, tmp_path):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    return save("PopSASRec", toy)


@pytest.mark.parametrize(("model", "settings"), LIGHT)
def test_models_make_the_same_lists_without_the_log(toy, tmp_path, model, settings):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    file = save(model, toy, **settings)
    expected = recbole_popaware.recommend(file, topk=7)
    frame_of(PLAYS).to_parquet("plays.parquet")
    shutil.rmtree("data")
    actual = recbole_popaware.recommend(file, topk=7, history="plays.parquet")
    pd.testing.assert_frame_equal(actual, expected)


def test_models_that_need_the_log_take_parquet_too(toy, tmp_path):
    write_atomic(tmp_path / "data", "toy", PLAYS)
    frame_of(PLAYS).to_parquet("plays.parquet")
    for name, options in (("GRU4Rec", {}), ("PopOnly", {}), ("PopSASRec", {"calibrated": True})):
        file = save(name, toy, eval_args=GTS, **({"embedding_size": 8} if name == "GRU4Rec" else {}))
        expected = recbole_popaware.recommend(file, **options)
        actual = recbole_popaware.recommend(file, history="plays.parquet", **options)
        pd.testing.assert_frame_equal(actual, expected)


@pytest.mark.parametrize("kind", ["numbers", "times", "text"])
def test_columns_of_parquet_may_be_of_several_types(toy, tmp_path, kind):
    plays = [(user[1:], item[1:], time) for user, item, time in PLAYS]
    write_atomic(tmp_path / "data", "toy", plays)
    file = save("PopSASRec", toy)
    frame = frame_of(plays)
    if kind == "numbers":
        frame = frame.astype({"user_id": int, "item_id": "int32", "timestamp": "int64"})
    elif kind == "times":
        frame["timestamp"] = pd.to_datetime(frame.timestamp, unit="s", utc=True)
    else:
        frame = frame.astype({"user_id": "category"})
    frame.sample(frac=1, random_state=1).to_parquet("plays.parquet")
    actual = recbole_popaware.recommend(file, history="plays.parquet")
    pd.testing.assert_frame_equal(in_order(actual), in_order(recbole_popaware.recommend(file)))


def test_a_folder_is_read_file_by_file_and_a_user_is_in_one_of_them(file, tmp_path):
    folder = write_folder(tmp_path / "plays")
    recbole_popaware.recommend(file, output="lists.parquet", history=folder)
    actual, expected = pd.read_parquet("lists.parquet"), recbole_popaware.recommend(file)
    assert actual.user_id.unique().tolist() == [f"u{n}" for k in range(5) for n in range(k, 23, 5)]
    pd.testing.assert_frame_equal(in_order(actual), in_order(expected))
    chosen = recbole_popaware.recommend(file, ["u7", "zoe", "u1"], history=folder)  # from all files at once
    assert chosen.user_id.unique().tolist() == ["u7", "zoe", "u1"]
    frame_of([("u1", "i1", 5)]).to_parquet(folder / "zz.parquet")
    with pytest.raises(UsageError, match=r"zz.parquet: user \[u1\] has plays in another file too"):
        recbole_popaware.recommend(file, output="lists.parquet", history=folder)
    pd.testing.assert_frame_equal(pd.read_parquet("lists.parquet"), actual)


HISTORIES = {"folder": "plays", "file": "plays.parquet", "log": None}


@pytest.mark.parametrize("history", HISTORIES)
def test_all_shards_together_are_one_run_to_the_last_bit(file, tmp_path, history):
    if history == "folder":
        write_folder(tmp_path / "plays")
    else:
        frame_of(PLAYS).to_parquet("plays.parquet")
    options = {"topk": 6, "batch_size": 2, "history": HISTORIES[history]}
    recbole_popaware.recommend(file, output="lists.parquet", **options)
    for shard in range(1, 17):
        recbole_popaware.recommend(file, output="parts", shard=f"{shard}/16", **options)
    whole = in_order(pd.read_parquet("lists.parquet"))
    assert len(whole) == 23 * 6
    pieces = [pd.read_parquet(f) for f in sorted((tmp_path / "parts").rglob("*.parquet"))]
    assert len(pieces) == (5 if history == "folder" else 16)
    together = in_order(pd.concat(pieces))
    for column in whole:
        assert whole[column].to_numpy().tobytes() == together[column].to_numpy().tobytes() or (
            whole[column].tolist() == together[column].tolist()
        )


def test_no_part_is_made_twice_and_none_is_left_half_made(file, tmp_path, monkeypatch, capsys):
    write_folder(tmp_path / "plays")
    made, use_history = [], Recommender.use_history

    def fail_once(self, files):
        made.append(files[0].parent.name)
        if len(made) == 3:
            raise KeyboardInterrupt
        use_history(self, files)

    monkeypatch.setattr(Recommender, "use_history", fail_once)
    command = ["--checkpoint", file, "--history=plays", "--output=lists"]
    assert main(command) == 130
    present = sorted(str(f) for f in Path("lists").rglob("*") if f.is_file())
    assert present == ["lists/bucket=0/part-0.parquet", "lists/bucket=1/part-0.parquet"]
    assert main(command) == 0
    assert made == ["bucket=0", "bucket=1", "bucket=2", "bucket=2", "bucket=3", "bucket=4"]
    assert capsys.readouterr().out == "13 users; 2 files were there already\nwritten to lists\n"
    expected = recbole_popaware.recommend(file)
    together = pd.concat(pd.read_parquet(f) for f in (tmp_path / "lists").rglob("*.parquet"))
    pd.testing.assert_frame_equal(in_order(together[list(expected)]), in_order(expected))


def test_files_of_other_lists_are_not_taken_for_these(file, tmp_path):
    write_folder(tmp_path / "plays")
    recbole_popaware.recommend(file, output="lists", history="plays")
    recbole_popaware.recommend(file, output="lists", history="plays", shard="2/3")  # they are there
    for other in ({"topk": 3}, {"explore_share": 0.5}):
        with pytest.raises(UsageError, match="name another folder"):
            recbole_popaware.recommend(file, output="lists", history="plays", **other)
    (tmp_path / "lists" / "bucket=0" / "part-0.parquet").write_text("no parquet")
    with pytest.raises(UsageError, match="cannot be read"):
        recbole_popaware.recommend(file, output="lists", history="plays")


def test_lists_in_another_number_of_parts_are_not_added_to(file):
    recbole_popaware.recommend(file, output="lists", shard="1/2")
    for shard in ("1/3", None):
        with pytest.raises(
            UsageError, match=r"another number of parts, such as lists-00001-of-00002.parquet"
        ):
            recbole_popaware.recommend(file, output="lists", shard=shard)
    recbole_popaware.recommend(file, output="lists", shard="2/2")
    recbole_popaware.recommend(file, output="whole")
    with pytest.raises(UsageError, match=r"such as lists\.parquet"):
        recbole_popaware.recommend(file, output="whole", shard="1/2")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of([]), "holds no plays"),
        (
            frame_of(PLAYS).drop(columns="item_id"),
            "needs the column [item_id:token], but has user_id, timestamp",
        ),
        (frame_of([("a", "i1", np.inf)]), "[timestamp]: 1 of 1 values are no finite numbers"),
        (frame_of([("a", "i1", "today")]), "but must hold numbers"),
        (frame_of([("a", 1.5, 3)]), "ids are text or whole numbers"),
        (frame_of([("a", ["i1"], 3)]), "ids are text or whole numbers"),
    ],
)
def test_histories_that_cannot_be_used(file, frame, message, capsys):
    frame.to_parquet("plays.parquet")
    assert main(["--checkpoint", file, "--history=plays.parquet"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert message in printed


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--shard=0/4", "--output=lists"], "must be from 1/4 up"),
        (["--shard=5/4", "--output=lists"], "must be from 1/4 up"),
        (["--shard=4", "--output=lists"], "must be like 3/16"),
        (["--shard=1/4"], "needs an output"),
        (["--history=nothing", "--output=lists"], "without a play"),
        (["--output=lists.parquet/x"], "output"),
    ],
)
def test_mistakes(file, tmp_path, argv, message, capsys):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "lists.parquet").touch()
    assert main(["--checkpoint", file, *argv]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert message in printed


def test_rows_without_a_value_and_unknown_items_are_counted(file, caplog):
    plays = [
        ("a", "i8", 2),
        ("a", "i2", 1),
        ("a", "other", 3),
        (None, "i0", 4),
        ("a", None, 4),
        ("a", "i0", None),
    ]
    frame_of([*plays, ("a", "i3", 4e9)]).to_parquet("plays.parquet")
    made = Recommender(file, 2, Options(history="plays.parquet"))
    assert [r.message.split(": ")[1] for r in caplog.records] == [
        "1 of 7 plays are left out, without a user",
        "2 of 7 plays are left out, of items that the model does not know",
        "1 of 7 plays are left out, without a time",
        "1 plays are later than now; are the times in seconds?",
    ]
    assert made.have_plays(made.select(["a"])[1]).all()


def test_checkpoints_of_earlier_versions_need_the_log(file, tmp_path):
    checkpoint = torch.load(file, weights_only=True)
    catalogue = checkpoint.pop("catalogue")
    torch.save(checkpoint, "old.pth")
    frame_of(PLAYS).to_parquet("plays.parquet")
    expected = recbole_popaware.recommend(file)
    pd.testing.assert_frame_equal(recbole_popaware.recommend("old.pth", history="plays.parquet"), expected)
    popularity = catalogue.pop("item_popularity")
    torch.save({**checkpoint, "catalogue": catalogue}, "new.pth")
    recent = recbole_popaware.recommend("new.pth", ["zoe"], history="plays.parquet")
    assert recent.score.tolist() == sorted(catalogue["item_plays"].tolist())[::-1][:10]
    torch.save({**checkpoint, "catalogue": {**catalogue, "item_popularity": popularity[1:]}}, "new.pth")
    with pytest.raises(UsageError, match="item ids are not those of the training"):
        recbole_popaware.recommend("new.pth", history="plays.parquet")
    catalogue["item_ids"] = catalogue["item_ids"].replace("i1\n", "other\n")
    torch.save({**checkpoint, "catalogue": catalogue}, "new.pth")
    with pytest.raises(UsageError, match="item ids are not those of the training"):
        recbole_popaware.recommend("new.pth", history="plays.parquet")


def test_a_shard_has_whole_batches():
    shards = [parts.Shard(n, 3).indices(10, 2).tolist() for n in (1, 2, 3)]
    assert shards == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5]]
