"""Whatever is done to the files that recommending reads: all rows are accounted for, or one line says why."""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from byte_edits import assert_one_line, edit_atomic, edit_bytes, edit_table, messages, rows_of
from helpers import SMALL, looping_plays, save, write_atomic
from hypothesis import given, settings
from hypothesis import strategies as st

from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.__main__ import main
from recbole_popaware.recommending.columns import read_titles, read_users
from recbole_popaware.recommending.listeners import read_histories
from recbole_popaware.recommending.recommender import Recommender

HEADER = "user_id:token\titem_id:token\ttimestamp:float\trating:float\n"
ROWS = [f"{user}\t{item}\t{time}\t1" for user, item, time in looping_plays(n_users=5, n_plays=5)]
HISTORY = (HEADER + "\n".join(ROWS) + "\n").encode()
USERS_CSV = b"rank,user_id\n1,u1\n2,u2\n3,007\n4,nobody\n5,u1\n"
USERS_LINES = b"u1\nu2\n007\nnobody\nu1\n"
TITLES_CSV = b'item_id,title\ni1,One\ni2,"Two, too"\ni3,\ni1,Again\n,Nothing\n'
TITLES_ATOMIC = b"item_id:token\tyear:float\ttitle:token_seq\ni1\t1999\tOne\ni2\t\tTwo\ni3\t2001\t\n"
FAST = settings(max_examples=40, derandomize=True, database=None)
LONG = settings(max_examples=2000, database=None)


@pytest.fixture(scope="module")
def made() -> Iterator[Recommender]:
    """A recommender of a small checkpoint."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["pytest"])
        write_atomic(Path(folder, "data"), "toy", looping_plays())
        chosen = {**SMALL, "data_path": str(Path(folder, "data")), "dataset": "toy"}
        recommender = Recommender(save("PersonalizedMostPop", chosen), 3)
        recommender.checkpoint = str(Path(folder, next(Path("saved").glob("*.pth"))))
        yield recommender


def counted(logged, pattern):
    matches = [re.search(pattern, line) for line in logged]
    return sum(int(number) for match in matches if match for number in match.groups())


def in_a_file(name, content, read):
    """What ``read`` makes of a file, and what it logs; ``None`` if it refuses it in one line."""
    with tempfile.TemporaryDirectory() as folder, messages() as logged:
        file = Path(folder, name)
        file.write_bytes(content)
        try:
            return read(file), logged
        except UsageError as error:
            assert_one_line(error, name)
            return None


def check_history(made, content):
    result = in_a_file("new.inter", content, lambda file: read_histories([file], made.dataset))
    if result:
        (history, listeners), logged = result
        left_out = counted(logged, r": (\d+) of \d+ plays are left out")
        assert len(history.items) + left_out == rows_of(content)
        assert history.starts[-1] == len(history.items)
        assert len(history.starts) == len(listeners.names) + 1


@st.composite
def histories(draw):
    content = HISTORY
    for _ in range(draw(st.integers(1, 3))):
        content = edit_atomic(draw, content)
    return content


@FAST
@given(content=histories())
def test_plays_are_used_or_counted(made, content):
    check_history(made, content)


@pytest.mark.slow
@LONG
@given(content=histories())
def test_plays_are_used_or_counted_for_long(made, content):
    check_history(made, content)


def check_users(name, content, rows):
    result = in_a_file(name, content, read_users)
    if result:
        users, logged = result
        assert users == list(dict.fromkeys(users))
        assert all(isinstance(user, str) for user in users)
        counts = counted(logged, r": (\d+) (?:rows name nobody|users are named again)")
        if rows is not None:
            assert len(users) + counts == rows


@st.composite
def users_files(draw):
    name, content = draw(st.sampled_from([("users.csv", USERS_CSV), ("users.txt", USERS_LINES)]))
    for _ in range(draw(st.integers(1, 3))):
        content = edit_bytes(draw, content) if draw(st.booleans()) else edit_table(draw, content, b",")
    if name == "users.txt":
        lines = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return name, content, sum(line.strip() != "" for line in lines)
    return name, content, None if b'"' in content else rows_of(content.removeprefix(b"\xef\xbb\xbf"))


@FAST
@given(file=users_files())
def test_users_are_read_or_counted(file):
    check_users(*file)


@pytest.mark.slow
@LONG
@given(file=users_files())
def test_users_are_read_or_counted_for_long(file):
    check_users(*file)


def as_parquet(column, compression="NONE"):
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"user_id": column, "item_id": column, "title": column}), sink, compression=compression
    )
    return sink.getvalue()


def invalid_text():
    lengths = pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0")
    return pa.Array.from_buffers(pa.string(), 2, [None, lengths, pa.py_buffer(b"a\xff\xfe")])


NAMES = {
    "text": (pa.array(["i1", None, "i2", "i1"]), 4),
    "large text": (pa.array(["i1", "i2"], pa.large_string()), 2),
    "categories": (pa.array(["i1", "i2", "i1"]).dictionary_encode(), 3),
    "numbers": (pa.array([1, 2, None, 1]), 4),
    "numbers with a gap": (pa.array([1.0, None, 2.0]), 3),
    "decimals": (pa.array([Decimal("7"), Decimal("8")]), 2),
    "bytes that are text": (pa.array([b"i1", b"i2"]), 2),
    "bytes": (pa.array([b"i1", b"\xff"]), None),
    "invalid text": (invalid_text(), None),
    "nothing": (pa.nulls(3), None),
    "no rows": (pa.array([], pa.string()), None),
    "yes and no": (pa.array([True, False]), None),
    "durations": (pa.array([1, 2], pa.duration("s")), None),
    "times": (pa.array([1, 2], pa.timestamp("ms")), None),
    "days": (pa.array([1, 2], pa.date32()), None),
    "lists": (pa.array([["i1"], ["i2"]]), None),
    "records": (pa.array([{"a": 1}, {"a": 2}]), None),
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_type_of_a_parquet_column(kind):
    column, rows = NAMES[kind]
    check_users("users.parquet", as_parquet(column), rows)
    result = in_a_file("users.parquet", as_parquet(column), read_users)
    assert (result is None) == (rows is None)
    result = in_a_file(
        "titles.parquet", as_parquet(column), lambda file: read_titles(file, None, ["[PAD]", "i1"])
    )
    assert result is None or len(result[0]) == 2


@st.composite
def damaged_parquet(draw):
    content = as_parquet(pa.array(["i1", None, "i2", "i1"] * 20), draw(st.sampled_from(["NONE", "SNAPPY"])))
    for _ in range(draw(st.integers(1, 2))):
        content = edit_bytes(draw, content)
    return content


@FAST
@given(content=damaged_parquet())
def test_damaged_parquet_is_told(content):
    check_users("users.parquet", content, None)


@pytest.mark.slow
@LONG
@given(content=damaged_parquet())
def test_damaged_parquet_is_told_for_long(content):
    check_users("users.parquet", content, None)


def check_titles(name, content, column):
    items = ["[PAD]", "i1", "i2", "i3"]
    result = in_a_file(name, content, lambda file: read_titles(file, column, items))
    if result:
        titles, logged = result
        assert len(titles) == 4
        assert counted(logged, r": (\d+) of 3 items have no title") == titles[1:].null_count


@st.composite
def titles_files(draw):
    name, content, separator = draw(
        st.sampled_from([("a.csv", TITLES_CSV, b","), ("a.item", TITLES_ATOMIC, b"\t")])
    )
    for _ in range(draw(st.integers(1, 3))):
        content = edit_bytes(draw, content) if draw(st.booleans()) else edit_table(draw, content, separator)
    return name, content, draw(st.sampled_from([None, "title", "item_id", "year"]))


@FAST
@given(file=titles_files())
def test_titles_are_read_or_missing(file):
    check_titles(*file)


@pytest.mark.slow
@LONG
@given(file=titles_files())
def test_titles_are_read_or_missing_for_long(file):
    check_titles(*file)


BAD = {
    "infinite times": (
        "--history",
        "a.inter",
        HISTORY.replace(b"1600000060", b"inf"),
        "[timestamp]: 5 of 25",
    ),
    "infinite ratings": ("--history", "a.inter", HISTORY.replace(b"\t1\n", b"\t-inf\n", 1), "row 2: [-inf]"),
    "ratings that are words": (
        "--history",
        "a.inter",
        HISTORY.replace(b"rating:float", b"rating:token"),
        "type float",
    ),
    "an empty history": ("--history", "a.inter", b"", "a.inter is empty"),
    "a history of nobody": ("--history", "a.inter", HEADER.encode(), "no row"),
    "text in another encoding": ("--history", "a.inter", HISTORY.replace(b"\ti", b"\t\xe9"), "not utf-8"),
    "durations": ("--users", "u.parquet", as_parquet(NAMES["durations"][0]), "duration[s]"),
    "lists": ("--users", "u.parquet", as_parquet(NAMES["lists"][0]), "list<"),
    "invalid text": ("--users", "u.parquet", as_parquet(invalid_text()), "cannot be read"),
    "no parquet": ("--users", "u.parquet", b"PAR1PAR1", "cannot be read"),
    "ragged rows": ("--users", "u.csv", b"user_id,b\nu1\n", "Expected 2 columns"),
    "a column twice": ("--users", "u.csv", b"user_id,user_id\nu1,u2\n", "user_id twice"),
    "a name that cannot be printed": (
        "--item-file",
        "t.csv",
        b"\0item_id,title\ni1,One\n",
        "but has item_id, title",
    ),
    "such a name in an atomic file": ("--history", "a.inter", b"\0" + HISTORY, "holds [\\x00user_id:token]"),
    "titles without a row": ("--item-file", "t.item", b"item_id:token\ttitle:token", "cannot be read"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_the_command_says_it_in_one_line(made, tmp_path, mistake):
    option, name, content, message = BAD[mistake]
    (tmp_path / name).write_bytes(content)
    argv = ["--checkpoint", made.checkpoint, option, name, "--topk=3", "--output=lists.csv"]
    with redirect_stderr(io.StringIO()) as err, redirect_stdout(io.StringIO()) as out:
        assert main(argv) == 2
    lines = err.getvalue().splitlines()
    assert [line.startswith("error: ") for line in lines] == [True], lines
    assert message in lines[0]
    assert name in lines[0]
    assert not out.getvalue()
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_history_is_what_it_seems(made, tmp_path):
    """Marks and line ends change nothing; plays of unknown items are counted, and their users stay."""
    lists = []
    odd = HISTORY + b"\xc3\xa9\tother\t1\t1\n"
    for content in (odd, b"\xef\xbb\xbf" + odd, odd.replace(b"\n", b"\r\n"), odd.replace(b"\n", b"\r")):
        (tmp_path / "a.inter").write_bytes(content)
        argv = ["--checkpoint", made.checkpoint, "--history=a.inter", "--topk=3", "--output=lists.parquet"]
        with messages() as logged, redirect_stdout(io.StringIO()):
            assert main(argv) == 0
        assert counted(logged, r"(\d+) of 26 plays are left out, of items that the model does not know") == 1
        lists.append(pd.read_parquet("lists.parquet"))
    assert set(lists[0][lists[0].user_id == "é"].kind) == {"popular"}
    for other in lists[1:]:
        pd.testing.assert_frame_equal(lists[0], other)
