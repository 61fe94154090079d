"""Read text as a Python literal; nothing is evaluated."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 100_000
MAX_DEPTH = 50


def parse_literal(text: str) -> Any:
    """Parse a literal of plain values.

    Returns:
        A number, text, ``None``, a truth value, or lists and tables of such; tuples become lists.

    Raises:
        ValueError: If it is none, or too long or too deep for settings.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"a value has at most {MAX_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own about text that looks like odd code
            return plain(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("the text is no literal such as 1, 'word' or [1, 2]") from error


def plain(value: Any, depth: int = 0) -> Any:
    """Give plain values back, with lists in place of tuples.

    Raises:
        ValueError: If a value is of another kind, or nested too deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels of lists and tables")
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(part, depth + 1) for part in value]
    if isinstance(value, Mapping):
        return {key: plain(part, depth + 1) for key, part in value.items()}
    raise ValueError(f"a {type(value).__name__} is no plain value")
