"""Damage to files, as hypothesis draws it: to any bytes, and to what a table of text is made of."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], Any]

NASTY_BYTES = [b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\t", b",", b'"', b"\xed\xa0\x80"]
NASTY_WORDS = [
    *("", " ", "nan", "NaN", "inf", "-inf", "Infinity", "1e308", "-1e308", "1e-320", "1e19", "-1", "0"),
    *("0x10", "1_0", "1,5", "noon", "NA", "null", "None", "[PAD]", '"', '"a', "'", "#", "\\", "a b", "  a"),
    *("u0", "i1", "\0", "a\0", "\ufeff", "\u2028", "\x1b[1m", "\U0001f600", "é", "e\u0301", "9" * 400),
    "i" * 5000,
]
EDITS = ["cell", "cell", "cell", "column", "drop", "short", "again", "blank", "ends"]


def edit_bytes(draw: Draw, content: bytes) -> bytes:
    """Flip, cut out, insert or repeat some bytes."""
    start = draw(st.integers(0, len(content)))
    end = min(len(content), start + draw(st.sampled_from([0, 1, 1, 2, 7, 40, 5000])))
    piece = draw(st.sampled_from(NASTY_BYTES) | st.binary(max_size=4))
    new = draw(st.sampled_from([b"", piece, content[start:end] * 2]))
    return content[:start] + new + content[end:]


def edit_table(draw: Draw, content: bytes, separator: bytes = b"\t") -> bytes:
    """Change a cell, a line, a column or all line ends of a table of text."""
    rows = [line.split(separator) for line in content.split(b"\n")]
    row = draw(st.integers(0, len(rows) - 1))
    column = draw(st.integers(0, max(map(len, rows)) - 1))
    what = draw(st.sampled_from(EDITS))
    word = draw(st.sampled_from(NASTY_WORDS)).encode()
    if what == "cell" and column < len(rows[row]):
        rows[row][column] = word
    elif what == "column":
        below = [[*cells[:column], word, *cells[column + 1 :]] for cells in rows[1:]]
        rows = [rows[0], *below]
    elif what == "drop":
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif what == "short":
        rows[row] = rows[row][:column]
    elif what == "again":
        rows.insert(row, rows[draw(st.integers(0, len(rows) - 1))])
    elif what == "blank":
        rows.insert(row, [b""])
    end = draw(st.sampled_from([b"\r\n", b"\r"])) if what == "ends" else b"\n"
    return end.join(separator.join(cells) for cells in rows)


def edit_header(draw: Draw, content: bytes) -> bytes:
    """Give a column of an atomic file another name or type."""
    head, end, body = content.partition(b"\n")
    columns = head.split(b"\t")
    place = draw(st.integers(0, len(columns) - 1))
    name, _, kind = columns[place].partition(b":")
    names = [name, b"user_id", b"item_id", b"timestamp", b"rating", b"x", b""]
    kinds = [kind, b"token", b"float", b"token_seq", b"float_seq", b"int", b""]
    columns[place] = draw(st.sampled_from(names)) + b":" + draw(st.sampled_from(kinds))
    return b"\t".join(columns) + end + body


def edit_atomic(draw: Draw, content: bytes) -> bytes:
    """One damage of any kind to an atomic file."""
    return draw(st.sampled_from([edit_bytes, edit_table, edit_table, edit_header]))(draw, content)


def rows_of(content: bytes) -> int:
    """Rows below the header; an empty line is none."""
    return sum(line != b"" for line in re.split(rb"\r\n|\r|\n", content)) - 1


@contextmanager
def messages() -> Iterator[list[str]]:
    """What is logged meanwhile."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]  # one line
    logger = logging.getLogger("recbole_popaware")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def assert_one_line(error: Exception, *names: str) -> None:
    """The line that the command prints is short, can be printed and names what is meant."""
    line = " ".join(str(error).split())
    assert line.isprintable(), line
    assert len(line) < 1000
    assert any(name in line for name in names), line
