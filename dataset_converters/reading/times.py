"""Times as people write them: to microseconds since 1970."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dataset_converters.reading.time_patterns import check_form, pattern_times

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of numbers."""

_ISO_KINDS = (pa.timestamp("us", "UTC"), pa.timestamp("us"))
_TRIAL = 100  # texts
_FAR = 9e17  # microseconds: far outside all years, far inside 64 bits
_NUMBER = r"^[+-]?[0-9]{1,30}(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?$"
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"


def parse_times(texts: pa.Array, form: str) -> pa.Array:
    """Read times from text.

    Args:
        texts: String column.
        form: ``iso`` (with or without a zone; without means UTC), a unit of ``PER_SECOND``,
            ``auto`` (numbers are seconds, the rest ISO) or a pattern for ``strptime`` in UTC.

    Returns:
        Microseconds, int64, rounded down; null where the text is no such time.

    Raises:
        ConversionError: There is no such format.
    """
    form = check_form(form)
    if form == "iso":
        return _iso_times(texts)
    if form in PER_SECOND:
        return _number_times(texts, PER_SECOND[form])
    if form == "auto":
        return _auto_times(texts)
    return pattern_times(texts, form)


def column_times(column: pa.Array, form: str) -> pa.Array:
    """Read times from a column of any type: text, numbers, dates or timestamps.

    Args:
        column: The column; timestamps keep their own unit.
        form: As in ``parse_times``; ``auto`` and ``iso`` take numbers for seconds.

    Returns:
        Microseconds, int64, rounded down; null where there is no time.

    Raises:
        pyarrow.ArrowException: Times cannot have that type.
    """
    if pt.is_timestamp(column.type):
        return timestamps_us(column)
    if pt.is_date32(column.type):
        return _scaled(pc.multiply(column.cast(pa.int32()).cast(pa.int64()), 86_400), 1)
    if pt.is_date64(column.type):
        return _scaled(column.cast(pa.int64()), 1_000)
    is_number = pt.is_integer(column.type) or pt.is_floating(column.type)
    if is_number and "%" not in form:
        return _scaled(column, PER_SECOND.get(form, 1))
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    return parse_times(column.cast(pa.string()), form)


def timestamps_us(times: pa.Array) -> pa.Array:
    """Return timestamps of any unit as microseconds, rounding down."""
    numbers = times.cast(pa.int64())
    per_second = PER_SECOND[times.type.unit]
    if per_second <= 1_000_000:
        return _scaled(numbers, per_second)
    return _divide_down(numbers, per_second // 1_000_000)


def _divide_down(numbers: pa.Array, by: int) -> pa.Array:
    quotient = pc.divide(numbers, by)
    return pc.subtract(quotient, pc.less(pc.subtract(numbers, pc.multiply(quotient, by)), 0).cast(pa.int64()))


def _scaled(numbers: pa.Array, per_second: int) -> pa.Array:
    """Return numbers of a unit as microseconds; what is outside all years stays far outside."""
    if pt.is_integer(numbers.type) and per_second <= 1_000_000:
        factor = 1_000_000 // per_second
        near = np.int64(_FAR) // factor
        clipped = pc.min_element_wise(
            pc.max_element_wise(numbers.cast(pa.int64(), safe=False), -near, skip_nulls=False),
            near,
            skip_nulls=False,
        )
        return pc.multiply(clipped, factor)
    moments = pc.multiply(numbers.cast(pa.float64(), safe=False), 1_000_000 / per_second)
    moments = pc.if_else(pc.is_nan(moments), pa.scalar(None, pa.float64()), moments)
    far = pc.min_element_wise(pc.max_element_wise(moments, -_FAR, skip_nulls=False), _FAR, skip_nulls=False)
    return pc.floor(far).cast(pa.int64())


def _auto_times(texts: pa.Array) -> pa.Array:
    """Read seconds or ISO times, taking the column for one of them as long as that works."""
    numbers = _whole_numbers(texts)
    if numbers is not None:
        return _scaled(numbers, 1)
    for kind in _ISO_KINDS:
        moments = _cast_all(texts, kind)
        if moments is not None:
            return moments.cast(pa.int64())
    return pc.coalesce(_number_times(texts, 1), _iso_times(texts))


def _number_times(texts: pa.Array, per_second: int) -> pa.Array:
    numbers = _whole_numbers(texts)
    if numbers is not None:
        return _scaled(numbers, per_second)
    texts = pc.utf8_trim_whitespace(texts)
    numbers = _only(texts, _NUMBER)
    whole = _only(numbers, r"^[+-]?[0-9]{1,18}$")
    exact = _scaled(pc.replace_substring_regex(whole, r"^\+", "").cast(pa.int64()), per_second)
    return pc.coalesce(exact, _scaled(numbers.cast(pa.float64()), per_second))


def _whole_numbers(texts: pa.Array) -> pa.Array | None:
    """Cast a column, or return ``None`` if a text is no number, or ``0x10``, which Arrow takes for one."""
    numbers = _cast_all(texts, pa.int64())
    letters = texts.buffers()[2]  # of all texts; looking through them costs next to nothing
    if numbers is None or (letters is not None and any(x in letters.to_pybytes() for x in (b"x", b"X"))):
        return None
    return numbers


def _iso_times(texts: pa.Array) -> pa.Array:
    zoned, local = _ISO_KINDS
    for kind in _ISO_KINDS:
        moments = _cast_all(texts, kind)
        if moments is not None:
            return moments.cast(pa.int64())
    texts = pc.utf8_trim_whitespace(texts)
    with_zone = _cast_or_null(_only(texts, _ISO + _ZONE), zoned)
    without = _cast_or_null(_only(texts, _ISO + "$"), local)
    return pc.coalesce(with_zone.cast(pa.int64()), without.cast(pa.int64()))


def _cast_all(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Cast a column, or return ``None`` if a text does not fit.

    A few texts go first: a cast that fails takes forty times as long as one that does not.
    """
    for part in (texts.slice(0, _TRIAL), texts):
        try:
            numbers = part.cast(kind)
        except pa.ArrowInvalid:
            return None
    return numbers


def _only(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, pa.string()))


def _cast_or_null(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast a column, leaving null what looks right and is not, such as month 13."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return pa.nulls(1, kind)
        half = len(texts) // 2
        return pa.concat_arrays(
            [_cast_or_null(texts.slice(0, half), kind), _cast_or_null(texts.slice(half), kind)]
        )
