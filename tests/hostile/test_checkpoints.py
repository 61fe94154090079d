"""Checkpoints with changed bytes, entries of every kind, and code: read as they were, or refused."""

from __future__ import annotations

import json
import os
import pickle
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
from helpers import SMALL, looping_plays, write_atomic
from hypothesis import given, settings
from hypothesis import strategies as st

import recbole_popaware
from recbole_popaware.checkpoint import read_checkpoint
from recbole_popaware.cli import main as train_main
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import prepare, run_recbole_popaware
from recbole_popaware.recommending.__main__ import main
from recbole_popaware.trainer import Trainer

ENTRIES = (
    *("settings", "epoch", "cur_step", "best_valid_score", "state_dict", "item_numbering", "other_parameter"),
    *("catalogue", "optimizer", "best_valid_result", "train_loss", "random"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    write_atomic(folder / "data", "toy", looping_plays())
    return folder


@pytest.fixture(scope="module")
def toy(folder):
    return {
        **SMALL,
        "data_path": str(folder / "data"),
        "dataset": "toy",
        "checkpoint_dir": str(folder / "saved"),
    }


@pytest.fixture(scope="module")
def whole(toy, folder):
    """A checkpoint's bytes and the lists that come from it."""
    before = Path.cwd()
    os.chdir(folder)
    file = run_recbole_popaware("PopSASRec", config_dict={**toy, "epochs": 2})["checkpoint"]
    os.chdir(before)
    return Path(file).read_bytes(), recbole_popaware.recommend(file, topk=3)


def lists_of(file):
    """Lists, or none where the checkpoint is refused."""
    with suppress(UsageError):
        return recbole_popaware.recommend(file, topk=3)


@given(st.data())
@settings(max_examples=60)
def test_changed_bytes_change_no_list(whole, folder, data):
    content, lists = bytearray(whole[0]), whole[1]
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "overwrite"]))
    where = data.draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        content[where] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del content[where : where + data.draw(st.integers(1, len(content)))]
    else:
        new = data.draw(st.binary(min_size=1, max_size=40))
        content[where : where + len(new) * (kind == "overwrite")] = new
    file = folder / "changed.pth"
    file.write_bytes(content)
    actual = lists_of(file)
    if actual is not None:
        pd.testing.assert_frame_equal(actual, lists)


@given(st.binary(max_size=300))
def test_random_bytes_earn_no_advice_to_trust_them(folder, content):
    file = folder / "random.pth"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"not a checkpoint") as refused:
        read_checkpoint(file)
    assert "trust" not in str(refused.value)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
tensors = st.sampled_from(
    [
        torch.zeros(0),
        torch.ones(3),
        torch.tensor(2),
        torch.zeros(2, 2),
        torch.tensor([True]),
        torch.ones(1) * 1j,
    ]
)
anything = st.recursive(
    plain | tensors,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner),
    max_leaves=5,
)


@given(st.sampled_from(ENTRIES), anything)
@settings(max_examples=30)
def test_entries_of_every_kind_are_used_or_refused(whole, folder, toy, entry, value):
    file = folder / "entry.pth"
    file.write_bytes(whole[0])
    checkpoint = read_checkpoint(file)
    if isinstance(checkpoint[entry], dict) and isinstance(value, dict):
        value = {**checkpoint[entry], **dict(zip(checkpoint[entry], value.values()))}
    torch.save({**checkpoint, entry: value}, file)
    if entry in ("settings", "state_dict", "item_numbering", "other_parameter"):
        lists_of(file)
    go_on(toy, file)


_PREPARED = {}


def go_on(toy, file):
    """Resume, or be refused."""
    if not _PREPARED:
        from recbole_popaware.config import Config

        _PREPARED["it"] = prepare(Config("PopSASRec", config_dict={**toy, "epochs": 3}, argv=()))
    experiment = _PREPARED["it"]
    trainer = Trainer(experiment.config, experiment.model)
    try:
        trainer.resume_checkpoint(file)
        if trainer.start_epoch < 10**6:
            trainer.epochs = trainer.start_epoch + 1
            trainer.fit(experiment.train_data, verbose=False)
    except UsageError:
        pass
    finally:
        trainer.tensorboard.close()


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"a": 1}, torch.ones(2), "missing"])
def test_a_wrong_entry_gets_one_line_and_code_2(whole, folder, toy, entry, value, capsys):
    file = folder / "entry.pth"
    file.write_bytes(whole[0])
    checkpoint = read_checkpoint(file)
    if isinstance(value, str) and value == "missing":
        del checkpoint[entry]
    else:
        checkpoint[entry] = value
    torch.save(checkpoint, file)
    argv = [f"--{name}={setting}" for name, setting in {**toy, "epochs": 3, "resume_from": file}.items()]
    code = train_main(["--model=PopSASRec", *argv])
    printed = capsys.readouterr().err
    fine = {
        *{(name, "None") for name in ("item_numbering", "catalogue", "other_parameter")},
        *{(name, "missing") for name in ("item_numbering", "catalogue", "other_parameter")},
        *{(name, "{}") for name in ("other_parameter", "best_valid_result", "train_loss")},
        *{("best_valid_result", "{'a': 1}"), ("item_numbering", "x")},
        *{(name, "7") for name in ("epoch", "cur_step", "best_valid_score")},
    }
    if (entry, str(value)) in fine:
        assert code == 0
    else:
        assert code == 2
        assert printed.startswith("error: ")
        assert printed.count("\n") == 1
        assert str(file) in printed


@pytest.mark.parametrize(
    "settings_text",
    ["", "{", "[]", "7", "null", "[" * 100_000, '{"model": "PopSASRec"}', '{"model": 1}', "{}"],
)
def test_damaged_settings(whole, folder, settings_text, capsys):
    file = folder / "settings.pth"
    file.write_bytes(whole[0])
    torch.save({**read_checkpoint(file), "settings": settings_text}, file)
    assert main(["--checkpoint", str(file)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: the settings in checkpoint")
    assert printed.count("\n") == 1


def test_models_and_data_that_are_not_known(whole, folder, capsys):
    file = folder / "settings.pth"
    file.write_bytes(whole[0])
    checkpoint = read_checkpoint(file)
    known = json.loads(checkpoint["settings"])
    for name, value in (
        ("model", "os"),
        ("model", "../x"),
        ("model", ""),
        ("dataset", "../toy"),
        ("dataset", "no"),
    ):
        torch.save({**checkpoint, "settings": json.dumps({**known, name: value})}, file)
        assert main(["--checkpoint", str(file)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


class Bomb:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def with_bombs(whole):
    """Checkpoints that would run code, by name."""
    Path("whole.pth").write_bytes(whole)
    checkpoint = read_checkpoint("whole.pth")
    for entry in ENTRIES:
        yield entry, {**checkpoint, entry: Bomb()}
    yield "beside", {**checkpoint, "more": [Bomb()]}
    yield "instead", Bomb()


def test_no_checkpoint_runs_code(whole, toy, tmp_path, capsys):
    for name, content in with_bombs(whole[0]):
        torch.save(content, f"{name}.pth")
        torch.save(content, f"{name}.old.pth", _use_new_zipfile_serialization=False)
        Path(f"{name}.pickle").write_bytes(pickle.dumps(Bomb()))
    argv = [f"--{name}={setting}" for name, setting in {**toy, "epochs": 3}.items()]
    files = sorted(file for file in tmp_path.iterdir() if file.is_file() and file.name != "whole.pth")
    assert len(files) == 3 * (len(ENTRIES) + 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the protocol of pickles
        for file in files:
            assert main(["--checkpoint", str(file)]) == 2
            assert train_main(["--model=PopSASRec", *argv, f"--resume_from={file}"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2 * len(files)
    assert not [line for line in printed if not line.startswith("error: ") or "trust" in line]
    assert not (tmp_path / "ran").exists()


def test_what_is_no_checkpoint(tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("weights")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with zipfile.ZipFile(tmp_path / "hollow", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    with zipfile.ZipFile(tmp_path / "packed", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    torch.save([1, 2], tmp_path / "list")
    for name in ("folder", "empty", "text", "zip", "hollow", "packed", "list", "gone"):
        assert main(["--checkpoint", str(tmp_path / name)]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert printed.count("\n") == 1
        assert "trust" not in printed
    assert not (tmp_path / "ran").exists()
