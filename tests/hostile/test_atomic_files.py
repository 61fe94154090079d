"""Whatever is done to atomic files: every row is accounted for, or one line names the file."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from byte_edits import assert_one_line, edit_atomic, messages, rows_of
from helpers import SMALL, looping_plays
from hypothesis import given, settings
from hypothesis import strategies as st

from recbole_popaware.cli import main
from recbole_popaware.config import Config
from recbole_popaware.data.utils import create_dataset, data_preparation
from recbole_popaware.errors import UsageError

PLAYS = "".join(f"{u}\t{i}\t{t}\t{1 - 2 * (t % 7 == 0)}\ta b\n" for u, i, t in looping_plays(n_users=6))
HEADER = "user_id:token\titem_id:token\ttimestamp:float\trating:float\tnote:token_seq\n"
GOOD = {
    ".inter": (HEADER + PLAYS).encode(),
    ".item": b"item_id:token\tprice:float\ttags:token_seq\tspot:float_seq\n"
    + b"".join(b"i%d\t%d.5\ta b%d\t1 2.5\n" % (n, n, n % 3) for n in range(15)),
    ".user": b"user_id:token\tage:float\n" + b"".join(b"u%d\t%d\n" % (n, 20 + n) for n in range(6)),
}
SPLITS = ({"GTS": [0.6, 0.2, 0.2]}, {"LS": "valid_and_test"})


@st.composite
def mutated(draw):
    files = dict(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        suffix = draw(st.sampled_from([".inter", ".inter", ".item", ".user"]))
        files[suffix] = edit_atomic(draw, files[suffix])
    return files


def write(folder, files):
    Path(folder, "toy").mkdir()
    for suffix, content in files.items():
        Path(folder, "toy", f"toy{suffix}").write_bytes(content)


def load(folder, **more):
    chosen = {**SMALL, "data_path": str(folder), "dataset": "toy", "load_col": None, **more}
    return create_dataset(Config("PopSASRec", config_dict=chosen, argv=()))


def check(files, split):
    with tempfile.TemporaryDirectory() as folder, messages() as logged:
        write(folder, files)
        try:
            dataset = load(folder, eval_args={"split": split, "order": "TO"}, window_fields=["timestamp"])
        except UsageError as error:
            assert_one_line(error, *(f"toy{suffix}" for suffix in files), "data set [toy]")
            return
        left_out = [re.match(r"(\d+) rows of \[toy\] left out, ", line) for line in logged]
        negative = [re.match(r"(\d+) plays with a rating of 0 or less are left out", line) for line in logged]
        counted = sum(int(match[1]) for match in left_out + negative if match)
        assert len(dataset.inter_feat) + counted == rows_of(files[".inter"])
        assert "nan" not in str(dataset)
        try:
            parts = data_preparation(dataset.config, dataset)
        except UsageError as error:
            assert_one_line(error, "data set [toy]")
            return
        batch = next(iter(parts[0]), {})
        for field in batch:
            assert np.isfinite(batch[field].numpy()).all(), field


@pytest.mark.parametrize("split", SPLITS)
@settings(max_examples=25, derandomize=True, database=None)
@given(files=mutated())
def test_rows_are_accounted_for_or_one_line_names_the_file(split, files):
    check(files, split)


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@settings(max_examples=1000, database=None)
@given(files=mutated())
def test_so_they_are_for_long(split, files):
    check(files, split)


def test_what_is_not_damaged_loads(tmp_path):
    write(tmp_path, GOOD)
    assert len(load(tmp_path, eval_args={"split": SPLITS[0], "order": "TO"})) == 96


ROW = b"u1\ti1\t1600000001\t1\ta\n"
DAMAGED = {
    "infinite rating": (".inter", ROW.replace(b"\t1\ta", b"\tinf\ta"), "[rating]: 1 of 97 values"),
    "huge rating": (".inter", ROW.replace(b"\t1\ta", b"\t1e308\ta"), "row 98: [1e+308]"),
    "no number": (".inter", ROW.replace(b"\t1\ta", b"\tnan\ta"), "[nan]"),
    "time that never ends": (".inter", ROW.replace(b"1600000001", b"inf"), "[timestamp]"),
    "no time": (".inter", ROW.replace(b"1600000001", b""), "1 rows have no [timestamp]"),
    "a word": (".inter", ROW.replace(b"1600000001", b"noon"), "Row #98"),
    "ragged": (".inter", b"u1\ti1\n", "row 98 has 2 columns, but the header names 5"),
    "other text": (".inter", ROW.replace(b"i1", b"i\xff"), "not utf-8"),
    "one giant line": (".inter", b"x" * 3_000_000, "longer than"),
    "infinite feature": (".item", b"i99\t-inf\ta\t1\n", "[price]: 1 of 16 values"),
    "word in a sequence": (".item", b"i99\t1\ta\t1 x\n", "[spot], row 17: [x]"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_the_command_tells_file_and_row_in_one_line(tmp_path, capfd, damage):
    suffix, line, message = DAMAGED[damage]
    write(tmp_path, {**GOOD, suffix: GOOD[suffix] + line})
    argv = [f"--{key}={value}" for key, value in SMALL.items()]
    argv += [f"--data_path={tmp_path}", "--load_col=None", "--model=PopSASRec", "--dataset=toy"]
    assert main(argv) == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert f"toy{suffix}" in last or "[toy]" in last
    assert not list(tmp_path.glob("saved/*"))


HEADERS = {
    "twice": (b"rating:float", b"item_id:float", "the column [item_id] twice"),
    "no name": (b"rating:float", b":float", "holds [:float]"),
    "type of an id": (b"item_id:token", b"item_id:token_seq", "must be of type token"),
    "type of time": (b"timestamp:float", b"timestamp:token", "must be of type float"),
    "no type": (b"timestamp:float", b"timestamp", "name:type"),
    "no item": (b"item_id:token", b"item:token", "lacks the column [item_id]"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_cannot_be_are_refused(tmp_path, header):
    old, new, message = HEADERS[header]
    write(tmp_path, {".inter": GOOD[".inter"].replace(old, new)})
    with pytest.raises(UsageError, match=re.escape(message)):
        load(tmp_path)


FEATURES = {
    "no ids": (b"item_id:token", b"id:token", "lacks the column [item_id:token]"),
    "type of an id": (b"item_id:token", b"item_id:float_seq", "must be of type token"),
    "a column of another file": (b"price:float", b"timestamp:float", "has a column [timestamp] too"),
    "users of items": (b"tags:token_seq", b"user_id:token", "has a column [user_id] too"),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_features_that_cannot_be_are_refused(tmp_path, feature):
    old, new, message = FEATURES[feature]
    write(tmp_path, {**GOOD, ".item": GOOD[".item"].replace(old, new)})
    with pytest.raises(UsageError, match=re.escape(message)):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", HEADER[:-1].encode(), HEADER.encode()])
@pytest.mark.parametrize("suffix", [".inter", ".item"])
def test_files_without_rows_are_refused(tmp_path, suffix, content):
    write(tmp_path, {**GOOD, suffix: content})
    with pytest.raises(UsageError, match=rf"toy\{suffix}"):
        load(tmp_path)


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    write(tmp_path, {".inter": GOOD[".inter"]})
    (tmp_path / "toy" / "toy.item").mkdir()
    with pytest.raises(UsageError, match=r"toy\.item is no file"):
        load(tmp_path)


def test_items_that_no_row_has_are_told(tmp_path):
    write(tmp_path, {**GOOD, ".item": GOOD[".item"].replace(b"\ni", b"\nz")})
    with pytest.raises(UsageError, match="none is of a user and an item that"):
        load(tmp_path)


def test_byte_order_marks_and_line_ends_change_nothing(tmp_path):
    for n, (mark, end) in enumerate([(b"", b"\n"), (b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n"), (b"", b"\r")]):
        (tmp_path / str(n)).mkdir()
        write(tmp_path / str(n), {k: mark + v.replace(b"\n", end) for k, v in GOOD.items()})
        dataset = load(tmp_path / str(n))
        assert (len(dataset), dataset.item_num) == (len(load(tmp_path / "0")), 16)
        assert list(dataset.item_feat) == ["item_id", "price", "tags", "spot"]


def test_tokens_that_end_in_zero_bytes_or_are_long_stay_apart(tmp_path):
    odd = ["i", "i\0", "i\0\0", "i" * 500_000]
    plays = "".join(f"u{n % 2}\t{item}\t{n}\n" for n, item in enumerate(odd))
    write(tmp_path, {".inter": f"user_id:token\titem_id:token\ttimestamp:float\n{plays}".encode()})
    dataset = load(tmp_path)
    assert dataset.field2id_token["item_id"].tolist() == ["[PAD]", *odd]
    assert dataset.field2id_token["item_id"].nbytes < 1000


def test_left_out_rows_of_features_are_counted(tmp_path):
    write(tmp_path, {**GOOD, ".item": GOOD[".item"] + b"\t1\ta\t1\ni3\t99\ta\t1\ni4\t99\ta\t1\n"})
    with messages() as logged:
        dataset = load(tmp_path)
    assert "1 rows without [item_id] and 2 that repeat one are left out" in "".join(logged)
    assert dataset.item_feat["price"].max() == 14.5


def test_a_feature_that_is_never_known_is_0(tmp_path):
    empty = re.sub(rb"\t\d+\.5", b"\t", GOOD[".item"])
    write(tmp_path, {**GOOD, ".item": empty})
    assert (load(tmp_path).item_feat["price"] == 0).all()
