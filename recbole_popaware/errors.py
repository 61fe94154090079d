"""The one exception that stands for a mistake of the user, not of the program."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A setting, file or data set that cannot work.

    The message says what was given, what is accepted and what to do; the command line prints it as one
    line and exits with code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest of some names, ready to be added to a message; empty where none is near."""
    known = set(known)
    if name in known or len(name) > 100:  # known, and refused for another reason; or no slip of the pen
        return ""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"; did you mean [{near[0]}]?" if near else ""


def shown(value: object, most: int = 200) -> str:
    """A value as a message shows it: cut off where it is long."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # Python writes no number of thousands of digits
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."
