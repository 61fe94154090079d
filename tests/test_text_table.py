from __future__ import annotations

from recbole_popaware.text_table import text_table

ROWS = [["a", "1"], ["long name", "23"]]


def test_columns_are_as_wide_as_they_need_to_be():
    assert text_table(["name", "n"], ROWS, "lr").splitlines() == [
        "name         n",
        "a            1",
        "long name   23",
    ]
    assert text_table(["n", "name"], [row[::-1] for row in ROWS], "rl").splitlines() == [
        " n   name",
        " 1   a",
        "23   long name",
    ]


def test_a_rule_below_the_header():
    assert text_table(["name", "n"], ROWS[:1], "lr", ruled=True).splitlines() == [
        "name   n",
        "========",
        "a      1",
    ]


def test_text_is_never_cut_or_read_as_a_number():
    wide = "x" * 300
    assert text_table(["name"], [[wide], ["1e3"], [""]], "l").split("\n")[1:] == [wide, "1e3", ""]
    assert text_table(["name"], [], "l") == "name"
