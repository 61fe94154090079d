"""The exception for mistakes of the user, not of the program, and helpers for its messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A setting, file or data set that cannot work.

    The message says what was given, what is accepted and what to do; the command line prints it as one
    line and exits with code 2.
    """


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """A hint at the most similar of some names, to be added to a message.

    Args:
        name: What was given; upper and lower case make no difference.
        known: What is accepted.
        cutoff: Least similarity, from 0 to 1, in the sense of :func:`difflib.get_close_matches`.

    Returns:
        ``" (did you mean X?)"``; empty where no name is similar, or ``name`` is known and was refused for
        another reason.
    """
    by_lower_case = {other.lower(): other for other in sorted(known)}
    if name in by_lower_case.values() or len(name) > 100:  # no slip of the pen, and slow to compare
        return ""
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=cutoff)
    return f" (did you mean {by_lower_case[near[0]]}?)" if near else ""


def shown(value: object, most: int = 200) -> str:
    """A value as a message shows it: cut off where it is long."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # Python writes no number of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."
