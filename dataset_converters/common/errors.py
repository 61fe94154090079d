"""The one exception of all mistakes in the input, and what its messages are made of."""

from __future__ import annotations

from collections.abc import Sequence

from recbole_popaware.errors import did_you_mean as did_you_mean

_MOST_NAMES, _LONGEST_NAME, _LONGEST_VALUE = 20, 60, 200


class ConversionError(Exception):
    """A mistake in the input or the options; its text is the whole message that the user sees."""


def listing(names: Sequence[str]) -> str:
    """Return names for a message: in quotes, each cut to a readable length, the first few of many."""
    shown = [repr(name[:_LONGEST_NAME]) for name in names[:_MOST_NAMES]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "") or "nothing"


def shown(value: object) -> str:
    """Return a value as a message shows it, cut off where it is long."""
    try:
        return repr(value)[:_LONGEST_VALUE]
    except Exception:  # whatever an object of the user's raises, such as a number of 5,000 digits
        return f"a value of type {type(value).__name__}"
