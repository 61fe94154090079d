"""What a value may be, composed from small checks; each has a text that says what it accepts."""

from __future__ import annotations

import codecs
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

MOST = 10**9  # of a whole number for which there is no better bound
MOST_FACTOR = (
    1e30  # of a rate or weight; float32 can represent it, also where an optimiser divides it by a little
)
MOST_LEVELS = 50  # of lists and tables within each other
MOST_CHARACTERS = 200  # of a name, which becomes part of a file's name


class Check(NamedTuple):
    """A test of one value.

    Attributes:
        accepts: Whether a value passes; must not raise for any value.
        accepted: What passes, as text that follows "must be".
    """

    accepts: Callable[[Any], bool]
    accepted: str


def whole(least: int, most: int = MOST) -> Check:
    """Accept whole numbers from ``least`` to ``most``."""
    upper = "" if most == MOST else f", at most {most}"
    return Check(lambda x: type(x) is int and least <= x <= most, f"a whole number, at least {least}{upper}")


def number(
    least: float = -math.inf, most: float = math.inf, *, above: float = -math.inf, below: float = math.inf
) -> Check:
    """Accept finite numbers within bounds."""
    bounds = [
        f"{text} {bound:g}"
        for text, bound in (("above", above), ("of at least", least), ("below", below), ("at most", most))
        if math.isfinite(bound)
    ]
    return Check(
        lambda x: is_number(x) and least <= x <= most and above < x < below,
        " ".join(["a number", ", ".join(bounds)]).strip(),
    )


def is_number(x: Any) -> bool:
    """Whether a value is a finite number, which a truth value is not."""
    return type(x) is int or (isinstance(x, float) and math.isfinite(x))


def is_storable(x: Any, depth: int = 0) -> bool:
    """Whether logs and checkpoints can store a value: no number beyond 64 bits, no key but text, no cycle."""
    if depth > MOST_LEVELS:
        return False
    if isinstance(x, int):
        return abs(x) < 1 << 63
    if isinstance(x, str):
        return not any("\ud800" <= c <= "\udfff" for c in x)
    if isinstance(x, Mapping):
        return all(isinstance(key, str) and is_storable(part, depth + 1) for key, part in x.items())
    if isinstance(x, (list, tuple, set, frozenset)):
        return all(is_storable(part, depth + 1) for part in x)
    return True


def one_of(accepted: Sequence[str]) -> Check:
    """Accept some names."""
    return Check(lambda x: isinstance(x, str) and x in accepted, f"one of {', '.join(accepted)}")


def any_case(accepted: Sequence[str]) -> Check:
    """Accept some names in upper and lower case."""
    return Check(lambda x: isinstance(x, str) and x.lower() in accepted, f"one of {', '.join(accepted)}")


def optional(check: Check) -> Check:
    """Accept what ``check`` accepts, and the empty value."""
    return Check(lambda x: x is None or check.accepts(x), f"empty or {check.accepted}")


def either(*checks: Check) -> Check:
    """Accept what one of some checks accepts."""
    return Check(
        lambda x: any(check.accepts(x) for check in checks), " or ".join(check.accepted for check in checks)
    )


def list_of(check: Check, what: str, least: int = 0, most: int = MOST) -> Check:
    """Accept lists of ``what``, as ``check`` says, of some length."""
    return Check(
        lambda x: (
            isinstance(x, (list, tuple))
            and least <= len(x) <= most
            and all(check.accepts(part) for part in x)
        ),
        f"a list of {what}",
    )


def table_of(check: Check, what: str, most: int = MOST) -> Check:
    """Accept tables with names as keys and values as ``check`` says."""
    return Check(
        lambda x: (
            isinstance(x, Mapping)
            and len(x) <= most
            and all(NAME.accepts(key) and check.accepts(value) for key, value in x.items())
        ),
        f"a table {what}",
    )


def record(needed: Mapping[str, Check], **further: Check) -> Check:
    """Accept tables with some keys, and maybe further ones."""
    fields = {**needed, **further}
    return Check(
        lambda x: (
            isinstance(x, Mapping)
            and needed.keys() <= x.keys() <= fields.keys()
            and all(fields[key].accepts(value) for key, value in x.items())
        ),
        "a table with " + "; ".join(f"{key}: {check.accepted}" for key, check in fields.items()),
    )


def _is_text(x: Any) -> bool:
    return isinstance(x, str) and "\0" not in x and is_storable(x)


def _is_name(x: Any) -> bool:
    return _is_text(x) and 0 < len(x) <= MOST_CHARACTERS and x.strip() == x and x.isprintable()


def _is_file_name(x: Any) -> bool:
    return _is_name(x) and x not in (".", "..") and not set(x) & set("/\\")


def _is_path(x: Any) -> bool:
    path = os.fspath(x) if isinstance(x, os.PathLike) else x
    return _is_text(path) and 0 < len(path) <= 3000 and max(map(len, path.split("/"))) <= MOST_CHARACTERS


def _is_interval(x: Any) -> bool:
    return isinstance(x, str) and all(_is_one_interval(part.strip()) for part in x.split(";"))


def _is_one_interval(text: str) -> bool:
    match = re.fullmatch(r"([\[(])([^,\[\]()]+),([^,\[\]()]+)([\])])", text)
    if match is None:
        return False
    opening, low, high, closing = match.groups()
    try:
        ends = float(low), float(high)
    except ValueError:
        return False
    return ends[0] < ends[1] or (ends[0] == ends[1] and (opening, closing) == ("[", "]"))


def _is_encoding(x: Any) -> bool:
    sample = "user_id:token\titem_id:token\n" * 10
    try:  # knows the codec, and that it is one of text that reads what it writes
        return _is_text(x) and sample.encode(codecs.lookup(x).name).decode(x) == sample
    except (LookupError, ValueError, TypeError):
        return False


ANYTHING = Check(lambda x: True, "anything")
SWITCH = Check(lambda x: isinstance(x, bool), "True or False")
TEXT = Check(_is_text, "text")
NAME = Check(_is_name, f"a name, 1 to {MOST_CHARACTERS} characters")
NAMES = list_of(NAME, "names")
FILE_NAME = Check(_is_file_name, f"a name without / and \\, 1 to {MOST_CHARACTERS} characters")
PATH = Check(_is_path, f"a path, with names of at most {MOST_CHARACTERS} characters")
CHARACTER = Check(lambda x: _is_text(x) and len(x) == 1 and x not in "\r\n", "one character")
INFINITY = Check(lambda x: isinstance(x, float) and x == math.inf, "inf")
INTERVAL = Check(_is_interval, "an interval such as [0,3], (5,inf) or [0,3];(5,inf)")
ENCODING = Check(_is_encoding, "a text encoding that Python knows, such as utf-8 or latin-1")
