"""A Python value and its text are read alike; what is refused says what is needed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters.common.errors import ConversionError, did_you_mean, shown
from dataset_converters.common.options import NoOptions, options_of, read_options
from dataset_converters.common.readers import (
    one_of,
    read_moment,
    read_percentage,
    read_switch,
    read_text,
    read_texts,
    whole_number,
)
from dataset_converters.events.selection import Selection
from dataset_converters.pipeline import Output
from dataset_converters.reading.ratings import read_ratings
from dataset_converters.registry import SOURCES
from dataset_converters.sources.table import TableOptions

EVENT = st.text("abc =-1é", min_size=1).map(str.strip).filter(bool)
ZONE = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(1, 2**63 - 1))
def test_whole_numbers(number: int) -> None:
    read = whole_number(1)
    assert read(number) == read(str(number)) == number


@given(st.integers(-5, 15))
def test_borders_belong_to_the_numbers_accepted(number: int) -> None:
    read = whole_number(0, 9)
    if 0 <= number <= 9:
        assert read(number) == number
    else:
        with pytest.raises(ValueError, match="need a whole number from 0 to 9"):
            read(str(number))


@given(st.floats(0, 100))
def test_percentages(number: float) -> None:
    assert read_percentage(number) == read_percentage(repr(number)) == number


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), ZONE)
def test_moments(moment: datetime, zone: timezone) -> None:
    zoned = moment.replace(tzinfo=zone)
    microseconds = (zoned - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)
    assert read_moment(zoned) == read_moment(zoned.isoformat()) == microseconds
    assert read_moment(moment) == read_moment(moment.replace(tzinfo=timezone.utc))
    assert read_moment(moment.date()) == read_moment(moment.date().isoformat())


@given(st.dictionaries(EVENT, st.floats(-1e9, 1e9), min_size=1))
def test_ratings(ratings: dict[str, float]) -> None:
    text = ",".join(f"{event}={rating!r}" for event, rating in ratings.items())
    assert read_ratings(ratings) == read_ratings(text) == ratings


def test_texts_and_switches() -> None:
    assert read_texts("a,b") == read_texts(["a", "b"]) == ("a", "b")
    assert read_text("é") == "é"
    assert (read_switch(True), read_switch(False)) == (True, False)
    assert one_of("a", "b")("b") == "b"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_text, None),
        (read_text, "\ud800"),
        (read_texts, None),
        (read_texts, [1]),
        (read_switch, 1),
        (read_switch, "True"),
        (one_of("a"), "b"),
        (one_of("a"), ["a"]),
        (whole_number(), "1.0"),
        (whole_number(), ""),
        (whole_number(), False),
        (whole_number(), "9" * 5000),
        (whole_number(), 2**63),
        (read_percentage, "-0.1"),
        (read_percentage, "nan"),
        (read_percentage, True),
        (read_percentage, 10**400),
        (read_moment, "soon"),
        (read_moment, 5),
        (read_ratings, ["play"]),
    ],
)
def test_refusals(read: Any, value: object) -> None:
    with pytest.raises(ValueError, match=r"^need |write EVENT=NUMBER"):
        read(value)


def test_options_are_read_by_name() -> None:
    columns = {"user": "u", "item": "i", "time": "t"}
    assert read_options(TableOptions, {**columns, "other": 5}) == TableOptions(**columns)
    assert read_options(NoOptions, {}) == NoOptions()
    with pytest.raises(ConversionError, match=r"required: --item, --time$"):
        read_options(TableOptions, {"user": "u"})
    with pytest.raises(ConversionError, match=r"^--until 'x': need a date"):
        read_options(Selection, {"until": "x"})


def test_every_option_has_a_line_of_help() -> None:
    for kind in [Output, Selection, *(source.options for source in SOURCES.values())]:
        for name, option in options_of(kind).items():
            assert option.help, name
            assert option.flag in (f"--{name.replace('_', '-')}", "--from")


def test_hints_and_values_in_messages() -> None:
    assert did_you_mean("yambada", SOURCES) == " (did you mean yambda?)"
    assert did_you_mean("x" * 10**6, SOURCES) == did_you_mean("netflix", SOURCES) == ""
    assert shown("a") == "'a'"
    assert len(shown("a" * 10**6)) == 200
    assert shown(10**5000) == "a value of type int"
