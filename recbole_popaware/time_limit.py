"""A limit on the time of training, so that systems of different speed can be compared at equal time."""

from __future__ import annotations

from collections.abc import Callable
from logging import getLogger
from time import perf_counter
from typing import Any

import torch
from torch import distributed

logger = getLogger(__name__)


class _TimeIsUpError(Exception):
    pass


class TimedTraining:
    """Mixin before a RecBole trainer: training ends after the first validation past ``training_seconds``."""

    config: Any
    best_valid_score: float
    best_valid_result: Any

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        """Train; see stock. The best epoch so far is saved when the time is up, as it is at any end."""
        limit = self.config["training_seconds"]
        fit: Callable[..., Any] = super().fit  # type: ignore[misc]  # the trainer's behind the mixin
        if limit is None:
            return fit(train_data, *args, **kwargs)
        then, started = kwargs.pop("callback_fn", None), perf_counter()

        def after_validation(epoch: int, score: float) -> None:
            if then is not None:
                then(epoch, score)
            if self._agree(perf_counter() - started >= limit):
                logger.info("Finished training in epoch %d, past %s seconds", epoch, limit)
                raise _TimeIsUpError

        try:
            return fit(train_data, *args, callback_fn=after_validation, **kwargs)
        except _TimeIsUpError:
            return self.best_valid_score, self.best_valid_result

    def _agree(self, over: bool) -> bool:
        """What the first process says, since all must end after the same epoch."""
        if self.config["single_spec"]:
            return over
        answer = torch.tensor(float(over), device=self.config["device"])
        distributed.broadcast(answer, src=0)
        return bool(answer)
