from __future__ import annotations

import pandas as pd
import pytest

from recbole_popaware.compat import number_tokens
from recbole_popaware.data.reader import read_columns, read_header
from recbole_popaware.errors import UsageError


def read(tmp_path, text, keep=None, separator="\t", lenient=False):
    file = tmp_path / "a.inter"
    file.write_text(text)
    fields = read_header(str(file), separator, "utf-8")
    return read_columns(str(file), fields, keep or list(fields), separator, "utf-8", lenient)


def test_only_the_empty_string_is_missing(tmp_path):
    words = ["NA", "null", "nan", "", '"', '"a b"', " x", "#", "\\t"]
    frame = read(tmp_path, "u:token\tt:float\n" + "".join(f"{word}\t1\n" for word in words))
    assert frame["u"].astype(object).where(frame["u"].notna(), "").tolist() == words


def test_columns_come_as_they_are_asked_for_and_typed(tmp_path):
    text = "u:token\ttags:token_seq\tt:float\r\na\tx y\t1700000000.5\r\nb\t\t\r\n"
    frame = read(tmp_path, text, keep=["t", "tags"])
    assert list(frame) == ["t", "tags"]
    assert frame["t"][0] == 1700000000.5
    assert frame["t"].isna().tolist() == frame["tags"].isna().tolist() == [False, True]


@pytest.mark.parametrize("text", ["u:token\tt:float\n", "u:token\tt:float", "u:token\tt:float\n\n"])
def test_a_file_without_rows_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match="a header but no row"):
        read(tmp_path, text)


@pytest.mark.parametrize("word", ["inf", "-inf", "nan", "NaN", "1e308", "-1.1e19"])
def test_numbers_that_models_cannot_hold_are_refused(tmp_path, word):
    rows = "".join(f"u{n}\t{n}\n" for n in range(200_000))  # several blocks
    with pytest.raises(UsageError, match=r"a\.inter: column \[t\]: 2 of 400,003 values .* row 200003: "):
        read(tmp_path, f"u:token\tt:float\n{rows}\t\na\t{word}\n{rows}a\t{word}\n")
    assert read(tmp_path, "u:token\tt:float\na\t1e19\nb\t-1e19\nc\t\n")["t"].isna().sum() == 1


def test_a_missing_encoding_and_a_file_that_cannot_be_opened_are_told(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="unknown encoding"):
        read_header(__file__, "\t", "klingon")
    with pytest.raises(UsageError, match="Is a directory"):
        read_header(str(tmp_path), "\t", "utf-8")


@pytest.mark.parametrize("line", ["a", "a\t1\t2", "a\tnoon", "a\t1 2"])
def test_lines_that_do_not_fit_are_refused(tmp_path, line):
    with pytest.raises(UsageError, match=r"a\.inter( cannot be read|: row 3 has)"):
        read(tmp_path, f"u:token\tt:float\nb\t1\n{line}\n")


@pytest.mark.parametrize("rows", [[4], [0, 3, 4], [199_999]])  # of several blocks
@pytest.mark.parametrize(("line", "columns"), [("a\t1\tb", "3 columns"), ("a", "1 column")])
def test_rows_with_columns_too_many_are_refused_by_number_or_counted(tmp_path, caplog, rows, line, columns):
    lines = [f"u{n}\t{n}" for n in range(200_000)]
    for row in rows:
        lines[row] = line
    text = "\n".join(["u:token\tt:float", *lines])
    fault = f"row {rows[0] + 2} has {columns}, but the header names 2"
    with pytest.raises(UsageError, match=f"{fault}; correct it, or say --lenient"):
        read(tmp_path, text)
    assert not caplog.records
    kept = read(tmp_path, text, lenient=True)
    assert kept["t"].tolist() == [n for n in range(200_000) if n not in rows]
    assert caplog.records[0].getMessage().endswith(f"{len(rows)} rows are left out; the first: {fault}")


def test_a_separator_of_several_characters_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path, "u:token||t:float\na||1\n", separator="||")


def test_tokens_are_numbered_by_appearance_as_categories_as_well_as_text():
    plays = pd.Series(["c", "a", None, "c", "b"])
    features = pd.Series(["d", "a"])
    for kind in (object, "category"):
        (of_plays, of_features), tokens = number_tokens([plays.astype(kind), features.astype(kind)])
        assert of_plays.tolist() == [1, 2, 0, 1, 3]
        assert of_features.tolist() == [4, 2]
        assert tokens.tolist() == ["[PAD]", "c", "a", "b", "d"]
    only = pd.Series(["b", "a", "b"], dtype="category")[1:]  # a category may have no play left
    assert number_tokens([only])[0][0].tolist() == [1, 2]
