"""Text and binary form of a log: the same batches, and never those of another log."""

from __future__ import annotations

import itertools
import random
import threading

import pyarrow as pa
import pytest
import torch
from helpers import GTS, SMALL, write_atomic
from recbole.utils import init_seed

from recbole_popaware.config import Config
from recbole_popaware.data import log_store, mapped
from recbole_popaware.data.reader import read_header
from recbole_popaware.data.utils import create_dataset, data_preparation
from recbole_popaware.errors import UsageError
from recbole_popaware.plays.columns import StoredColumn
from recbole_popaware.plays.log_file import is_sealed, open_log, seal

LS = {"split": {"LS": "valid_and_test"}, "order": "TO"}


def random_log(seed: int, n_users=9, n_plays=140, negative=True) -> list[tuple]:
    """Plays in any order, many at the same time; some users have one play, and some no positive one."""
    draw = random.Random(seed)
    plays = []
    for _ in range(n_plays):
        rating = draw.choice([1, 1, 1, 2, -1, -2]) if negative else 1
        time = 1_600_000_000 + 50 * draw.randrange(60)
        plays.append((f"u{draw.randrange(n_users)}", f"i{draw.randrange(12)}", time, rating))
    return [*plays, ("once", "i1", 1_600_000_100, 1), ("never", "only", 1_600_000_100, -1 if negative else 1)]


def settings_of(folder, eval_args=LS, model="SASRec", **more):
    config = {**SMALL, "data_path": str(folder), "dataset": "set", "eval_args": eval_args}
    config["load_col"] = {"inter": ["user_id", "item_id", "timestamp", "rating"]}
    if model == "SASRec":
        config["train_neg_sample_args"] = None
    return Config(model, config_dict={**config, **more}, argv=())


@pytest.fixture
def binary(monkeypatch):
    """Make the binary form of small texts too."""
    monkeypatch.setattr(log_store, "SMALLEST_TEXT", 0)


def load(config):
    """The data set, its three parts' rows and two epochs of its batches, as plain values."""
    init_seed(config["seed"], reproducibility=True)  # as whoever trains does
    dataset = create_dataset(config)
    is_mapped = dataset.is_mapped
    text = str(dataset)
    loaders = data_preparation(config, dataset)
    batches = [[_values(batch) for loader in loaders for batch in loader] for _ in range(2)]
    train = loaders[0].dataset
    facts = [
        text,
        {field: list(ids) for field, ids in dataset.field2id_token.items()},
        dataset.field2token_id["item_id"],
        train.item_plays().tolist(),
        train.training_ends().tolist(),
        train.trained_plays().tolist(),
        [list(part.dataset.inter_feat) for part in loaders],
        train.inter_matrix().toarray().tolist(),
    ]
    return is_mapped, batches, facts


def _values(batch):
    interaction, *rest = batch if isinstance(batch, tuple) else (batch,)
    fields = {
        field: (str(values.dtype), values.tolist()) for field, values in interaction.interaction.items()
    }
    return fields, [_plain(value) for value in rest]


def _plain(value):
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value


def assert_same(folder, monkeypatch, **more):
    """Load from the text and from the binary form."""
    monkeypatch.setattr(log_store, "SMALLEST_TEXT", 1 << 60)
    from_text = load(settings_of(folder, **more))
    monkeypatch.setattr(log_store, "SMALLEST_TEXT", 0)
    assert create_dataset(settings_of(folder, **more)).is_mapped  # made just now
    there = load(settings_of(folder, **more))
    assert [from_text[0], there[0]] == [False, True]
    assert from_text[1:] == there[1:]
    assert from_text[1][0]


SEQUENTIAL = [
    {},
    {"window_fields": ["timestamp", "rating"]},
    {"model": "PopSASRec", "train_targets": "all", "pps_history": "full", "pps_age": "hours"},
    {"model": "PopSASRec", "train_targets": "next"},
    {"model": "PopBERT4Rec"},
    {"model": "PopGSASRec", "train_windows": "one"},
    {"model": "PersonalizedMostPop"},
    {"model": "BPR"},
    {"load_col": {"inter": ["user_id", "item_id", "timestamp"]}},
]
ONE_PART = [{"split": {"LS": how}, "order": "TO"} for how in ("valid_only", "test_only")]


@pytest.mark.parametrize(
    ("more", "eval_args"),
    [*itertools.product(SEQUENTIAL, [LS, GTS]), *itertools.product(SEQUENTIAL[:1], ONE_PART)],
    ids=str,
)
def test_text_and_binary_give_the_same_batches(tmp_path, monkeypatch, eval_args, more):
    write_atomic(tmp_path, "set", random_log(len(str(more))))
    assert_same(tmp_path, monkeypatch, eval_args=eval_args, **more)


@pytest.mark.parametrize(
    "more",
    [
        {"protocol": "paper", "valid_users": 2},
        {"mask_history": True, "targets": "plays"},
        {"train_until": "test", "valid_users": 2, "popularity_until": "test", "hold_out_last": True},
        {
            "kept_users": "trained",
            "eval_args": {"split": {"GTS": {"test": 1_600_002_000, "valid": 500, "gap": 100}}},
        },
    ],
    ids=str,
)
def test_the_same_under_all_rules_of_gts(tmp_path, monkeypatch, more):
    write_atomic(tmp_path, "set", random_log(len(more)))
    assert_same(tmp_path, monkeypatch, **{"eval_args": GTS, **more})


@pytest.mark.parametrize("eval_args", [LS, GTS], ids=str)
def test_the_same_without_ratings_and_with_fractions(tmp_path, monkeypatch, eval_args):
    plays = random_log(3, negative=False)
    write_atomic(tmp_path / "a", "set", [play[:3] for play in plays])
    assert_same(tmp_path / "a", monkeypatch, eval_args=eval_args)
    write_atomic(tmp_path / "b", "set", [(u, i, t + 0.25, r / 3) for u, i, t, r in random_log(4)])
    assert_same(tmp_path / "b", monkeypatch, eval_args=eval_args)


def test_columns_of_a_mapped_log_stay_in_the_file(tmp_path, binary):
    write_atomic(tmp_path, "set", random_log(1, negative=False))
    load(settings_of(tmp_path))
    train, *_ = create_dataset(settings_of(tmp_path)).build()
    items = train.history.items
    assert isinstance(items, StoredColumn)
    assert items.array.dtype == "int32"
    assert not items.array.flags.writeable  # it is the file's


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"val_interval": {"rating": "[1,2]"}}, "val_interval is set"),
        ({"user_inter_num_interval": "[2,inf)"}, "user_inter_num_interval is set"),
        ({"threshold": {"rating": 1}}, "threshold is set"),
        ({"normalize_all": True}, "normalize_all is set"),
        ({"rm_dup_inter": "first"}, "rm_dup_inter is set"),
        ({"eval_args": {"split": {"RS": [8, 1, 1]}, "order": "TO"}}, "the split is neither"),
    ],
    ids=str,
)
def test_properties_that_change_plays_are_named_and_read_the_text(tmp_path, binary, caplog, more, reason):
    write_atomic(tmp_path, "set", random_log(2))
    load(settings_of(tmp_path))
    with caplog.at_level("INFO"):
        dataset = create_dataset(settings_of(tmp_path, **more))
    assert not dataset.is_mapped
    assert f"data set [set] is read as text, as {reason}" in caplog.text


def test_features_of_items_are_read_with_the_text(tmp_path, binary):
    file = write_atomic(tmp_path, "set", random_log(2))
    file.with_suffix(".item").write_text("item_id:token\tgenre:token\ni1\tx\ni2\ty\n")
    columns = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "genre"]}
    assert not create_dataset(settings_of(tmp_path, load_col=columns)).is_mapped


@pytest.mark.parametrize(
    "rows",
    [["u1\ti1\t\t1"], ["u1\ti1"], ["\ti1\t5\t1"], ["u1\ti1\t5\t"], ["u1\ti1\tnan\t1"], ["u1\ti1\t1e30\t1"]],
)
def test_a_text_that_is_not_plain_is_left_to_the_reader_of_texts(tmp_path, monkeypatch, rows):
    file = write_atomic(tmp_path, "set", random_log(2))
    file.write_text(file.read_text() + "\n".join(rows) + "\n")
    outcomes = []
    for smallest in (1 << 60, 0):
        monkeypatch.setattr(log_store, "SMALLEST_TEXT", smallest)
        try:
            outcomes.append(load(settings_of(tmp_path)))
        except UsageError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]
    assert not (tmp_path / "set" / "set.inter.arrow").exists()


def test_a_small_log_gets_no_binary_form(tmp_path):
    write_atomic(tmp_path, "set", random_log(2))
    assert not create_dataset(settings_of(tmp_path)).is_mapped
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["set.inter"]


def made(folder, seed=1):
    """A text, its binary form, and what it gives."""
    file = write_atomic(folder, "set", random_log(seed))
    return file, file.with_suffix(".inter.arrow"), load(settings_of(folder))


def rewritten(file):
    """Times of the file's last writing and of its sealing differ, once it is written again."""
    return file.stat().st_ino


def test_a_text_that_changed_is_read_anew(tmp_path, binary):
    text, file, before = made(tmp_path)
    inode = rewritten(file)
    lines = text.read_text().splitlines()
    lines[1], lines[5] = lines[5], lines[1]  # as long as before
    text.write_text("\n".join(lines) + "\n")
    after = load(settings_of(tmp_path))
    assert after[0]
    assert after[1:] != before[1:]
    assert rewritten(file) != inode
    file.unlink()
    assert load(settings_of(tmp_path))[1:] == after[1:]


def test_a_text_that_was_only_copied_keeps_its_binary_form(tmp_path, binary):
    text, file, before = made(tmp_path)
    inode = rewritten(file)
    text.write_bytes(text.read_bytes())  # at another time
    assert load(settings_of(tmp_path)) == before
    assert rewritten(file) == inode
    assert file.stat().st_mtime_ns == text.stat().st_mtime_ns  # so that the content is not read again


DAMAGE = {
    "a byte in the middle": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "cut short": lambda data: data[:-100],
    "empty": lambda data: b"",
    "text": lambda data: b"user_id:token\titem_id:token\n" * 20,
    "another version": lambda data: data.replace(b'"version": 1', b'"version": 9'),
    "no facts": lambda data: data.replace(b"recbole_popaware", b"recbole_popawarf"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_binary_form_is_made_again(tmp_path, binary, caplog, how):
    _, file, before = made(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[how](whole))
    with caplog.at_level("INFO"):
        assert load(settings_of(tmp_path)) == before
    assert "set.inter.arrow is not used: " in caplog.text
    assert file.read_bytes() == whole


@pytest.mark.parametrize("how", ["cut short", "empty", "another version"])
def test_a_cut_file_is_noticed_even_under_its_old_time(tmp_path, binary, how):
    text, file, before = made(tmp_path)
    file.write_bytes(DAMAGE[how](file.read_bytes()))
    seal(file, "", text.stat().st_mtime_ns)
    assert load(settings_of(tmp_path)) == before


def test_every_byte_counts(tmp_path, binary):
    """Whatever single byte is changed, the log is that of the text."""
    text, file, _ = made(tmp_path)
    names, fields = ("user_id", "item_id", "timestamp", "rating"), read_header(str(text), "\t", "utf-8")

    def found():
        log = log_store.find_log(file.parent, "set", names, fields)
        columns = log.starts, log.items, log.times, log.ratings, *log.renumbered
        return [list(ids) for ids in (log.user_ids, log.item_ids)], [column.tolist() for column in columns]

    whole, before = file.read_bytes(), found()
    for place in random.Random(3).sample(range(len(whole)), 300):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        file.write_bytes(changed)
        assert found() == before


def test_the_binary_form_of_another_log_is_replaced(tmp_path, binary):
    _, file, before = made(tmp_path / "a")
    _, other, _ = made(tmp_path / "b", seed=2)
    file.write_bytes(other.read_bytes())
    assert load(settings_of(tmp_path / "a")) == before
    fields = {"USER_ID_FIELD": "item_id", "ITEM_ID_FIELD": "user_id"}
    load(settings_of(tmp_path / "a", **fields))  # the same text with other fields
    assert load(settings_of(tmp_path / "a")) == before


def test_a_folder_that_cannot_be_written_to_gives_the_text(tmp_path, binary, monkeypatch, caplog):
    _, file, before = made(tmp_path)
    file.unlink()

    def refuse(*_, **__):
        raise UsageError(f"{file} cannot be written: Read-only file system")

    monkeypatch.setattr(log_store, "replacing", refuse)
    with caplog.at_level("INFO"):
        is_mapped, *rest = load(settings_of(tmp_path))
    assert not is_mapped
    assert rest == list(before[1:])
    assert "Read-only file system" in caplog.text
    assert [path.name for path in file.parent.iterdir()] == ["set.inter"]


def test_a_full_disk_gives_the_text_and_leaves_nothing(tmp_path, binary, monkeypatch):
    _, file, before = made(tmp_path)
    file.unlink()

    def fill(part, *_):
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(log_store, "write_log", fill)
    is_mapped, *rest = load(settings_of(tmp_path))
    assert not is_mapped
    assert rest == list(before[1:])
    assert [path.name for path in file.parent.iterdir()] == ["set.inter"]


def test_what_a_killed_writer_left_is_removed_and_not_read(tmp_path, binary):
    _, file, before = made(tmp_path)
    left = file.with_name(f".{file.name}.0123abcd.part")
    file.rename(left)
    assert load(settings_of(tmp_path)) == before
    assert {path.name for path in file.parent.iterdir()} == {"set.inter", "set.inter.arrow"}


def test_two_that_make_it_at_once_are_harmless(tmp_path, binary, monkeypatch):
    _, file, before = made(tmp_path)
    file.unlink()
    both, write, seen = threading.Barrier(2), log_store.write_log, []

    def together(*args):
        both.wait(20)
        write(*args)
        both.wait(20)

    monkeypatch.setattr(log_store, "write_log", together)
    config = settings_of(tmp_path)
    threads = [threading.Thread(target=lambda: seen.append(create_dataset(config).is_mapped)) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True, True]
    assert load(config) == before


def test_a_log_without_text_needs_its_own_sum_only(tmp_path, binary):
    text, file, before = made(tmp_path)
    text.unlink()
    for _ in range(2):
        assert load(settings_of(tmp_path)) == before
        assert is_sealed(file, open_log(file).checksum, None)  # so that the sum is not computed again
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    with pytest.raises(UsageError, match="its binary form only, which is damaged"):
        load(settings_of(tmp_path))


@pytest.mark.parametrize(
    "more",
    [
        {"val_interval": {"rating": "[1,2]"}},
        {"model": "DIEN"},
        {"model": "BPR", "eval_args": {"split": {"RS": [8, 1, 1]}, "order": "RO"}},
    ],
    ids=str,
)
def test_who_needs_the_text_says_so_in_one_line(tmp_path, binary, more):
    text, *_ = made(tmp_path)
    text.unlink()
    with pytest.raises(UsageError, match=r"set\.inter.*without --binary-only") as error:
        create_dataset(settings_of(tmp_path, **{"model": "SASRec", **more}))
    assert "\n" not in str(error.value)


def test_the_file_is_one_that_arrow_reads(tmp_path, binary):
    made(tmp_path)
    table = pa.ipc.open_file(tmp_path / "set" / "set.inter.arrow").read_all()
    assert table.column_names == ["user_id", "item_id", "timestamp", "rating"]
    rows = {
        row["user_id"]: list(zip(row["timestamp"], row["item_id"], row["rating"]))
        for row in table.to_pylist()
    }
    plays = random_log(1)
    for user in {play[0] for play in plays}:
        own = [(time, item, rating) for name, item, time, rating in plays if name == user]
        assert rows[user] == sorted(own, key=lambda play: play[0])
    assert rows["[PAD]"] == []
    assert mapped.SMALLEST_TEXT  # which says from when on it is made unasked
