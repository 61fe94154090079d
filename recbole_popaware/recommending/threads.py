"""Work on batches in several threads, with results in the order of the batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

In = TypeVar("In")
Out = TypeVar("Out")

_AHEAD = 2  # batches a thread that may be ready before they are asked for


def in_order(work: Callable[[In], Out], batches: Iterable[In], n_threads: int) -> Iterator[Out]:
    """Work on batches, each in one thread: what comes out does not depend on how many there are.

    PyTorch would split each operation among its threads instead, which costs more than small operations take.

    Args:
        work: What to do with a batch.
        batches: The batches; taken as they are needed.
        n_threads: How many batches are worked on at once.

    Yields:
        The results in the order of the batches.
    """
    before = torch.get_num_threads()
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(n_threads, initializer=partial(torch.set_num_threads, 1)) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) >= _AHEAD * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(before)
