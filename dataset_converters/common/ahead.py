"""Work on several things at once, and hand them over in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from dataset_converters.common.ledger import Draft, Ledger

Block = TypeVar("Block")
Thing = TypeVar("Thing")
Made = TypeVar("Made")

_THREADS = 2


def map_ahead(
    function: Callable[[Thing], Made], things: Iterable[Thing], threads: int = _THREADS
) -> Iterator[Made]:
    """Yield what a function makes of each thing, working on a few of them ahead.

    NumPy and Arrow let go of Python's lock while they compute, so threads are enough.

    Args:
        function: Called in other threads.
        things: Asked for in this one.
        threads: How many others; as many things are worked on while the next one is asked for.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Made]] = deque()
        for thing in things:
            waiting.append(pool.submit(function, thing))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def each_block(
    read: Callable[[Block, Ledger], Iterable[Made]], blocks: Iterable[Block], ledger: Ledger
) -> Iterator[Made]:
    """Yield what is read from each block of a file, working on a few of them ahead.

    Args:
        read: Called in other threads with a block and a ledger of its own.
        blocks: Asked for in this thread.
        ledger: Gets the entries of one block after the other, just before what was read from it.
    """

    def work(block: Block) -> tuple[list[Made], Draft]:
        draft = Draft()
        return list(read(block, draft)), draft

    for made, draft in map_ahead(work, blocks):
        draft.enter(ledger)
        yield from made
