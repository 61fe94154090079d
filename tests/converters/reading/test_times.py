"""Times in every way of writing agree with Python's own reading."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_converters.common.errors import ConversionError
from dataset_converters.reading.time_patterns import check_form
from dataset_converters.reading.times import column_times, parse_times

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("2009-05-04T23:08:57Z", "iso", 1_241_478_537_000_000),
        ("2009-05-04 23:08:57", "iso", 1_241_478_537_000_000),
        ("2009-05-05T01:08:57+02:00", "iso", 1_241_478_537_000_000),
        (" 2009-05-04T23:08:57.25Z ", "iso", 1_241_478_537_250_000),
        ("2009-05-04", "iso", 1_241_395_200_000_000),
        ("2009-05-04T23:08", "auto", 1_241_478_480_000_000),
        ("2009-02-30", "iso", None),
        ("2009-05-04T25:00:00Z", "iso", None),
        ("1241478537", "iso", None),
        ("1241478537", "s", 1_241_478_537_000_000),
        (" +1241478537 ", "s", 1_241_478_537_000_000),
        ("1241478537.5", "s", 1_241_478_537_500_000),
        ("1.241478537e9", "auto", 1_241_478_537_000_000),
        ("-1", "s", -1_000_000),
        ("1241478537123", "ms", 1_241_478_537_123_000),
        ("1241478537123456", "us", 1_241_478_537_123_456),
        ("1241478537123456789", "ns", 1_241_478_537_123_456),
        ("1e30", "s", 900_000_000_000_000_000),
        ("99999999999999999999999", "s", 900_000_000_000_000_000),
        ("nan", "s", None),
        ("0x10", "s", None),
        ("0X10", "auto", None),
        ("", "auto", None),
        ("soon", "auto", None),
        ("04.05.2009 23:08", "%d.%m.%Y %H:%M", 1_241_478_480_000_000),
        ("2009-05-04", "%d.%m.%Y %H:%M", None),
        (None, "auto", None),
    ],
)
def test_single_times(text: str, form: str, expected: int) -> None:
    alone = parse_times(pa.array([text], pa.string()), form).to_pylist()
    among = parse_times(pa.array([text, "x", None], pa.string()), form).to_pylist()
    if form == "ns" and expected is not None:  # floats hold 53 bits; the whole column is exact, or near
        assert abs(among[0] - expected) < 1000
    else:
        assert among == [expected, None, None]
    assert abs((alone[0] or 0) - (expected or 0)) < 1000 if form == "ns" else alone == [expected]


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)), min_size=1), st.booleans())
def test_iso_times_agree_with_python(moments: list, noisy: bool) -> None:
    texts = [moment.isoformat() + "Z" for moment in moments] + ["no time"] * noisy
    expected = [micros(moment.replace(tzinfo=timezone.utc)) for moment in moments] + [None] * noisy
    assert parse_times(pa.array(texts), "iso").to_pylist() == expected


@given(st.lists(st.integers(0, 2**33), min_size=1), st.booleans())
def test_seconds_are_exact(seconds: list, noisy: bool) -> None:
    texts = [str(second) for second in seconds] + ["?"] * noisy
    expected = [second * 1_000_000 for second in seconds] + [None] * noisy
    assert parse_times(pa.array(texts), "auto").to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "form", "expected"),
    [
        (pa.array([5, None]), "auto", [5_000_000, None]),
        (pa.array([5_000], pa.uint32()), "ms", [5_000_000]),
        (pa.array([2**62]), "s", [900_000_000_000_000_000]),
        (pa.array([5.5, float("nan"), float("inf")]), "s", [5_500_000, None, 900_000_000_000_000_000]),
        (pa.array([-1_999], pa.timestamp("ns")), "auto", [-2]),
        (pa.array([7], pa.timestamp("s", "Europe/Paris")), "ms", [7_000_000]),
        (pa.array([7], pa.timestamp("ms")), "auto", [7_000]),
        (pa.array([1], pa.date32()), "auto", [86_400_000_000]),
        (pa.array(["1970-01-02", "x"]).dictionary_encode(), "auto", [86_400_000_000, None]),
    ],
)
def test_columns_of_any_type(column: pa.Array, form: str, expected: list) -> None:
    assert column_times(column, form).to_pylist() == expected


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ("", "does not say year, month and day"),
        ("%", "% is not understood"),
        ("%Y-%m-%d %", "% is not understood"),
        ("%Y-%m-%d %Q", "%Q is not understood"),
        ("%Y-%m-%d %H:%M:%S.%f", "%f is not understood"),
        ("%Y-%m-%d %H:%M %Z", "%Z is not understood"),
        ("%s", "%s is not understood"),
        ("%G-%V-%u", "%G is not understood"),
        ("%5Y-%m-%d", "%5 is not understood"),
        ("%Y-%m", "does not say year, month and day"),
        ("%H:%M", "does not say year, month and day"),
        ("%%Y-%%m-%%d", "does not say year, month and day"),
        ("%Y-%m-%d %I:%M", "%I needs %p"),
        ("seconds", "does not say year, month and day"),
        ("%Y-%m-%d\0", "cannot be printed"),
        ("%Y-%m-%d\udcff", "cannot be printed"),
        ("%Y-%m-%d" * 10_000, "too long"),
    ],
)
@pytest.mark.parametrize("texts", [["2009"], ["", None], []])
def test_formats_that_mean_nothing(form: str, fault: str, texts: list) -> None:
    """Arrow crashes on some of them, and understands others differently from what they say."""
    with pytest.raises(ConversionError, match=fault) as caught:
        parse_times(pa.array(texts, pa.string()), form)
    assert str(caught.value).startswith("--time-format ")
    assert len(str(caught.value)) < 1000


@given(
    st.text(st.sampled_from("%YmdHMSFTzsQ -:.\0é"), max_size=12), st.lists(st.text(max_size=8), max_size=3)
)
def test_any_format_reads_or_is_refused(form: str, texts: list) -> None:
    try:
        check_form(form)
    except ConversionError:
        return
    times = parse_times(pa.array(["2009-05-04", *texts]), form)
    assert (times.type, len(times)) == (pa.int64(), 1 + len(texts))


PATTERNS = ["%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%d %b %Y", "%B %d, %Y %I:%M %p", "%Y%m%d", "%d/%m/%y", "%F %T"]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)), st.sampled_from(PATTERNS))
def test_patterns_agree_with_python(moment: datetime, form: str) -> None:
    text, plain = moment.strftime(form), check_form(form)
    expected = micros(datetime.strptime(text, plain).replace(tzinfo=timezone.utc))
    assert parse_times(pa.array([text, "no time"]), form).to_pylist() == [expected, None]


@pytest.mark.parametrize("zone", ["", "+0200", "-0330"])
def test_days_that_no_month_has_are_no_times(zone: str) -> None:
    """The C library takes 31 February for 3 March."""
    form = "%d.%m.%Y%z" if zone else "%d.%m.%Y"
    wrong = ["29.02.2009", "30.02.2009", "31.02.2008", "31.04.2009", "31.06.2009", "31.09.2009", "31.11.2009"]
    right = ["28.02.2009", "29.02.2008", "01.03.2009", "3.3.2009", "30.04.2009", "1.5.2009", "31.12.2009"]
    texts = pa.array([f"{text}{zone}" for text in [*wrong, *right]])
    times = parse_times(texts, form).to_pylist()
    expected = [
        micros(datetime.strptime(text.as_py(), form).replace(tzinfo=timezone.utc)) for text in texts[7:]
    ]
    if zone:
        expected = [micros(datetime.strptime(text.as_py(), form)) for text in texts[7:]]
    assert times == [None] * 7 + expected
