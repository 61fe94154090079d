"""A limit on the time of training, so that systems of different speed can be compared at equal time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from logging import getLogger
from time import perf_counter
from typing import Any

import torch
from torch import distributed

logger = getLogger(__name__)


class _TimeIsUpError(Exception):
    pass


class _UntilTimeIsUp:
    """A data loader whose batches end, after one at least, once the time is up; else what it wraps."""

    def __init__(self, train_data: Any, is_over: Callable[[], bool]) -> None:
        self._train_data, self._is_over = train_data, is_over

    def __iter__(self) -> Iterator[Any]:
        for batch in self._train_data:
            yield batch
            if self._is_over():
                return

    def __len__(self) -> int:
        return len(self._train_data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._train_data, name)


class TimedTraining:
    """Mixin before a RecBole trainer: training ends after ``training_seconds``, with a last validation.

    The epoch in which the time is up is cut short after a batch. Several processes finish it, so that all end
    with the same batch.
    """

    config: Any
    best_valid_score: float
    best_valid_result: Any
    _end: float | None = None  # on the clock of perf_counter

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        """Train; see stock. The best epoch so far is saved when the time is up, as it is at any end."""
        limit = self.config["training_seconds"]
        fit: Callable[..., Any] = super().fit  # type: ignore[misc]  # the trainer's behind the mixin
        if limit is None:
            return fit(train_data, *args, **kwargs)
        then, self._end = kwargs.pop("callback_fn", None), perf_counter() + limit

        def after_validation(epoch: int, score: float) -> None:
            if then is not None:
                then(epoch, score)
            if self._agree(self._is_over()):
                logger.info("Finished training in epoch %d, past %s seconds", epoch, limit)
                raise _TimeIsUpError

        try:
            return fit(train_data, *args, callback_fn=after_validation, **kwargs)
        except _TimeIsUpError:
            return self.best_valid_score, self.best_valid_result
        finally:
            self._end = None

    def _train_epoch(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        if self._end is not None and self.config["single_spec"]:
            train_data = _UntilTimeIsUp(train_data, self._is_over)
        return super()._train_epoch(train_data, *args, **kwargs)  # type: ignore[misc]  # the trainer's

    def _is_over(self) -> bool:
        return self._end is not None and perf_counter() >= self._end

    def _agree(self, over: bool) -> bool:
        """What the first process says, since all must end after the same epoch."""
        if self.config["single_spec"]:
            return over
        answer = torch.tensor(float(over), device=self.config["device"])
        distributed.broadcast(answer, src=0)
        return bool(answer)
