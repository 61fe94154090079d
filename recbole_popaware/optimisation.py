"""What RecBole's optimisers lack: Adam's betas, warm-up, a schedule of the rate, and sparse gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from recbole_popaware.tables import tables_of, with_tables

SCHEDULES = ("constant", "linear", "cosine")


def rate_factor(step: int, schedule: str, warmup: int, total: int) -> float:
    """What the learning rate is multiplied by at a step.

    Args:
        step: Number of the step, from 0.
        schedule: One of :data:`SCHEDULES`: after the warm-up the rate stays, or falls to 0 at ``total``.
        warmup: Steps over which it rises evenly to its full value.
        total: Steps in all.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min((step - warmup) / max(total - warmup, 1), 1.0)
    return {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[schedule]


def count_steps(optimizer: Optimizer) -> None:
    """Keep the number of steps and the full learning rate in the parameter groups, unless they are there."""
    for group in optimizer.param_groups:
        group.setdefault("steps", 0)
        group.setdefault("initial_lr", group["lr"])


def follow(optimizer: Optimizer, factor: Callable[[int], float]) -> RemovableHandle:
    """Let learning rates follow a factor of the number of the step, until the handle is removed.

    Step and full rate are in the parameter groups, so that the optimiser's state dict holds them.
    """
    count_steps(optimizer)

    def set_rates(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        for group in optimizer.param_groups:
            group.update(lr=group["initial_lr"] * factor(group["steps"]), steps=group["steps"] + 1)

    return optimizer.register_step_pre_hook(set_rates)


def steps_of(optimizer: Optimizer) -> int:
    """How many steps an optimiser has made while :func:`follow` counted them."""
    return int(optimizer.param_groups[0].get("steps", 0))


class ScheduledTraining:
    """Mixin before a RecBole trainer; differs from stock in what follows.

    * ``adam_betas`` and the learning rate's course.
    * A model's tables with sparse gradients have an optimiser of their own, ``table_optimizer``.
    """

    config: Any
    epochs: int
    optimizer: Optimizer
    model: Any
    clip_grad_norm: Any

    def _build_optimizer(self, **kwargs: Any) -> Optimizer:
        optimizer: Optimizer = super()._build_optimizer(**kwargs)  # type: ignore[misc]  # the trainer's
        tables = tables_of(self.model)
        if tables:
            optimizer = with_tables(optimizer, tables, self.config["table_optimizer"], self.clip_grad_norm)
            self.clip_grad_norm = None  # stock's knows no sparse gradients
        betas = self.config["adam_betas"]
        for group in optimizer.param_groups:
            if betas and "betas" in group:
                group["betas"] = tuple(betas)
        count_steps(optimizer)  # now, so that a checkpoint's groups are alike before and after training
        return optimizer

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        """Train; see stock."""
        handle = self.follow_schedule(self.epochs * len(train_data))
        try:
            return super().fit(train_data, *args, **kwargs)  # type: ignore[misc]  # the trainer's behind the mixin
        finally:
            handle.remove()

    def follow_schedule(self, total: int) -> RemovableHandle:
        """Let the learning rate go its course over ``total`` steps, until the handle is removed."""
        schedule = self.config["learning_rate_schedule"] or SCHEDULES[0]
        warmup = self.config["warmup_steps"] or 0
        return follow(self.optimizer, partial(rate_factor, schedule=schedule, warmup=warmup, total=total))
