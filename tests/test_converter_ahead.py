"""Working ahead keeps the order, and stays only a few things ahead."""

import pytest

from dataset_converters.ahead import map_ahead


def test_results_come_in_order_and_things_are_asked_for_late() -> None:
    asked: list[int] = []

    def things():
        for number in range(9):
            asked.append(number)
            yield number

    for made in map_ahead(lambda number: number * number, things()):
        assert made == (len(asked) - 3) ** 2 or len(asked) == 9
    assert list(map_ahead(str, range(9))) == [str(number) for number in range(9)]


def test_errors_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda number: 1 // number, [1, 0, 1]))
