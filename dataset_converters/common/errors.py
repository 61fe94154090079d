"""The one exception that the command line turns into a line of text."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_NAMES, _LONGEST_NAME = 20, 60


class ConversionError(Exception):
    """A mistake in the input or the options; its text is the whole message that the user sees."""


def listing(names: Sequence[str]) -> str:
    """Return names for a message: in quotes, each cut to a readable length, the first few of many."""
    shown = [repr(name[:_LONGEST_NAME]) for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "") or "nothing"
