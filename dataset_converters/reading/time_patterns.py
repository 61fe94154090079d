"""Patterns of times such as ``%d.%m.%Y``: which ones mean something, and what texts say by them."""

from __future__ import annotations

import re
import time
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from dataset_converters.common.errors import ConversionError

_NAMED = ("auto", "iso", "s", "ms", "us", "ns")
# What the C library and Python read alike, and what is short for it. Others mislead: %Z is passed over,
# %s depends on the machine's zone, %G, %U and %V come to nothing; and Arrow may crash on an empty pattern.
_DIRECTIVES = "YymdbBaAHIMSpz%"
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y", "R": "%H:%M", "e": "%d", "h": "%b"}
_LONGEST_FORM = 200


@cache
def check_form(form: str) -> str:
    """Return a format of times as ``times.parse_times`` and ``pattern_times`` use it.

    Raises:
        ConversionError: It is neither one of the named formats nor a pattern that says year, month and day.
    """
    if form in _NAMED:
        return form
    full = re.sub("%(.)", lambda match: _SHORT.get(match[1], match[0]), form, flags=re.DOTALL)
    used = {match[1] for match in re.finditer("%(.?)", full, re.DOTALL)}
    strange = [f"%{letter}" for letter in sorted(used - set(_DIRECTIVES))]
    if len(full) > _LONGEST_FORM or not full.isprintable():
        fault = "too long, or has characters that cannot be printed"
    elif strange:
        fault = f"{strange[0]} is not understood; use %{', %'.join([*_DIRECTIVES, *_SHORT])}"
    elif not (used & set("Yy") and used & set("mbB") and "d" in used):
        fault = "it does not say year, month and day"
    elif "I" in used and "p" not in used:
        fault = "%I needs %p, which says which half of the day"
    else:
        return full
    advice = f"give {', '.join(_NAMED)} or a pattern such as '%d.%m.%Y %H:%M'"
    raise ConversionError(f"--time-format {form[:_LONGEST_FORM]!r}: {fault}; {advice}")


def pattern_times(texts: pa.Array, form: str) -> pa.Array:
    """Read times by a pattern that ``check_form`` has returned.

    Returns:
        Microseconds, int64; null where the text does not fit or names no day of the calendar.
    """
    moments = pc.strptime(texts, format=form, unit="s", error_is_null=True).cast(pa.timestamp("s"))
    # The C library takes 31 February for 3 March, so what may have come about so is looked at again.
    doubtful = pc.is_valid(moments) if "%z" in form else pc.fill_null(_is_after_month_end(moments), False)
    distinct = pc.unique(texts.filter(doubtful)).to_pylist()
    wrong = pa.array([text for text in distinct if not _is_moment(text, form)], pa.string())
    moments = pc.if_else(pc.is_in(texts, value_set=wrong), pa.scalar(None, moments.type), moments)
    return pc.multiply(moments.cast(pa.int64()), 1_000_000)


def _is_after_month_end(moments: pa.Array) -> pa.Array:
    day = pc.day(moments)
    return pc.or_(pc.equal(day, 1), pc.and_(pc.less_equal(day, 3), pc.equal(pc.month(moments), 3)))


def _is_moment(text: str, form: str) -> bool:
    try:
        time.strptime(" ".join(text.split()), " ".join(form.split()))
    except ValueError:
        return False
    return True
