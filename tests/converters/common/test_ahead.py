"""Working ahead keeps the order, and stays only a few things ahead."""

import time

import pytest

from dataset_converters.common.ahead import each_block, map_ahead
from dataset_converters.common.ledger import Ledger


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


def test_a_ledger_kept_in_drafts_is_the_same() -> None:
    def read(number: int, ledger: Ledger) -> list[int]:
        time.sleep(0.02 if number % 2 else 0)  # blocks are done in another order
        ledger.read(3)
        ledger.drop(f"event {number}", 1, "other event")
        ledger.note(f"note {number}", number)
        ledger.reject("bad", [b"line %d\n" % number])
        return [number] * (number % 3)

    with Ledger() as one_by_one, Ledger() as in_drafts:
        expected = [made for number in range(30) for made in read(number, one_by_one)]
        assert list(each_block(read, range(30), in_drafts)) == expected
        rejects = {ledger.rejects.read() for ledger in (one_by_one, in_drafts) if ledger.rejects}
    assert len(one_by_one.dropped) == 21
    assert list(in_drafts.dropped.items()) == list(one_by_one.dropped.items())
    assert list(in_drafts.notes.items()) == list(one_by_one.notes.items())
    assert (in_drafts.rows_read, in_drafts.examples) == (90, one_by_one.examples)
    assert rejects == {b"".join(b"line %d\n" % number for number in range(30))}
