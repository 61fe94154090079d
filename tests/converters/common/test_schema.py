"""Names, ratings and the ledger."""

import pytest

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import check_name
from dataset_converters.reading.ratings import read_ratings


def test_ratings_are_read() -> None:
    assert read_ratings("1=1, 2=2,-1=-0.5,a=b=3") == {"1": 1.0, "2": 2.0, "-1": -0.5, "a=b": 3.0}
    assert read_ratings({1: 1, -1: -0.5, "a,b": 3}) == {"1": 1.0, "-1": -0.5, "a,b": 3.0}


@pytest.mark.parametrize(
    "text", ["", "1", "=1", "1=", "1=x", "1=nan", "1=inf", "1=1,1=2", "1=1,", {}, {"a": None}, {1: 1, "1": 1}]
)
def test_bad_ratings_are_named(text: object) -> None:
    with pytest.raises(ValueError, match="EVENT=NUMBER"):
        read_ratings(text)


@pytest.mark.parametrize("name", ["demo", "lastfm-1k", "a.b_c", "7"])
def test_names_that_do(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "a b", "a/b", "ä", ".hidden", "a\n"])
def test_names_that_do_not(name: str) -> None:
    with pytest.raises(ConversionError, match="--name"):
        check_name(name)


def test_balance_accepts_written_plus_dropped() -> None:
    ledger = Ledger()
    ledger.read(5)
    ledger.drop("too old", 2)
    ledger.drop("never", 0)
    ledger.balance(3)
    assert dict(ledger.dropped) == {"too old": 2}


def test_balance_refuses_a_lost_row() -> None:
    ledger = Ledger(rows_read=5)
    with pytest.raises(ConversionError, match="5 rows read, but 4 written"):
        ledger.balance(4)


def test_balance_refuses_an_empty_result() -> None:
    ledger = Ledger()
    ledger.read(2)
    ledger.drop("too old", 2)
    with pytest.raises(ConversionError, match="2 read, dropped: 2 too old"):
        ledger.balance(0)
    with pytest.raises(ConversionError, match="holds no events"):
        Ledger().balance(0)
