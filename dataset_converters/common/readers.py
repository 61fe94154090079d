"""Read the value of an option: from text, as the command line has it, or from a Python object.

Each reader returns the value, or raises ``ValueError`` with what it needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta, timezone
from numbers import Integral, Real

_MOST = 2**63 - 1  # what NumPy and DuckDB compute with
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def read_text(value: object) -> str:
    """Accept text that is valid UTF-8."""
    if not isinstance(value, str) or not _is_utf8(value):
        raise ValueError("need text")
    return value


def read_texts(value: object) -> tuple[str, ...]:
    """Read texts: separated by commas, or an iterable of them."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Iterable):
        raise ValueError("need texts, separated by commas")
    return tuple(map(read_text, parts))


def read_switch(value: object) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("need True or False")
    return value


def whole_number(least: int = 0, most: int = _MOST) -> Callable[[object], int]:
    """Make a reader of whole numbers.

    Args:
        least: The smallest that is accepted.
        most: The largest.
    """
    needed = f"need a whole number from {least} {'up' if most == _MOST else f'to {most}'}"

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, (str, Integral)):
            raise ValueError(needed)
        try:
            number = int(value)
        except ValueError:
            raise ValueError(needed) from None
        if not least <= number <= most:
            raise ValueError(needed)
        return number

    return read


def one_of(*choices: str) -> Callable[[object], str]:
    """Make a reader that accepts a few texts only."""

    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"need {' or '.join(choices)}")
        return str(value)

    return read


def read_percentage(value: object) -> float:
    """Read a number from 0 to 100."""
    number = read_number(value)
    if not 0 <= number <= 100:
        raise ValueError("need a number from 0 to 100, per cent")
    return number


def read_number(value: object) -> float:
    """Read any number; what is none becomes NaN."""
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def read_moment(value: object) -> int:
    """Read a date or a date and time, UTC unless it names a zone.

    Returns:
        Microseconds since 1970.
    """
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            moment = None
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime.combine(value, time())
    if not isinstance(moment, datetime):
        raise ValueError("need a date such as 2009-05-04 or 2009-05-04T23:08:57")
    return ((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _EPOCH) // timedelta(
        microseconds=1
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
