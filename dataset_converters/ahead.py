"""Work on several things at once, and hand them over in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_THREADS = 2


def map_ahead(function: Callable[[Given], Made], things: Iterable[Given]) -> Iterator[Made]:
    """Yield what a function makes of each thing, working on a few of them ahead.

    NumPy and Arrow let go of Python's lock while they compute, so threads are enough.

    Args:
        function: Called in other threads.
        things: Asked for in this one.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting: deque[Future[Made]] = deque()
        for thing in things:
            waiting.append(pool.submit(function, thing))
            if len(waiting) > _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
