"""What TensorBoard is told beyond RecBole's training loss and validation score."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import recbole.trainer.trainer
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from recbole_popaware.collapse import CollapseWatch
from recbole_popaware.distributed import is_first
from recbole_popaware.files import check_folder, one_line, unique_name
from recbole_popaware.log import run_name
from recbole_popaware.optimisation import steps_of

TITLE = "the folder of TensorBoard's curves"
ROOT = Path("log_tensorboard")  # RecBole's
SAMPLED_USERS = 128  # rows of the first validation batch whose scores are averaged


class ValidationCurves:
    """Mixin before a RecBole trainer; differs from stock in what TensorBoard shows, and where.

    Each validation adds every measure (``valid/ndcg_at_10``), of a model with a popularity head the mean
    scores of :func:`score_curves`, and of our networks how alike users look to them
    (:mod:`~recbole_popaware.collapse`). ``tensorboard_dir`` names the folder.
    """

    config: Any
    model: Any
    device: torch.device
    optimizer: torch.optim.Optimizer
    train_loss_dict: dict[int, Any]
    tensorboard: Any
    _curves: dict[str, float] | None = {}  # noqa: RUF012  # None: the next batch is the one to take

    def __init__(self, config: Any, model: Any) -> None:
        with _no_stock_writer():
            super().__init__(config, model)  # type: ignore[call-arg]  # the trainer behind the mixin
        self._watch = CollapseWatch()
        self.tensorboard = open_writer(config["tensorboard_dir"], is_first(config))

    def _valid_epoch(self, valid_data: Any, show_progress: bool = False) -> tuple[float, dict[str, float]]:
        self._curves = None
        score, result = super()._valid_epoch(valid_data, show_progress)  # type: ignore[misc]  # the trainer's behind the mixin
        curves = {f"valid/{name.replace('@', '_at_')}": value for name, value in result.items()}
        for tag, value in {**curves, **(self._curves or {})}.items():
            self.tensorboard.add_scalar(tag, value, max(self.train_loss_dict, default=0))
        self._curves = {}
        return score, result

    def _full_sort_batch_eval(self, batched_data: Any) -> tuple[Any, Tensor, Tensor, Tensor]:
        found = interaction, _, rows, items = super()._full_sort_batch_eval(batched_data)  # type: ignore[misc]  # the trainer's behind the mixin
        if self._curves is None:
            pairs = rows.to(self.device), items.to(self.device)
            interaction = interaction.to(self.device)
            self._curves = {
                **score_curves(self.model, interaction, *pairs),
                **self._watch(self.model, interaction, steps_of(self.optimizer)),
            }
        return found


class Silence:
    """A writer that writes nothing, for all processes but the first."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def open_writer(folder: str | None, first: bool) -> SummaryWriter | Silence:
    """Open the writer of curves.

    Args:
        folder: Where they go; ``None``: a folder in :data:`ROOT`, named after the log.
        first: Whether this process is the one that writes.

    Raises:
        UsageError: If they cannot be written.
    """
    if not first:
        return Silence()
    where = check_folder(folder or ROOT / (run_name() or unique_name("model")), TITLE)
    threading.excepthook = _silence_writers
    with one_line(f"{TITLE} [{where}] cannot be written to"):
        return SummaryWriter(str(where))


def _silence_writers(args: threading.ExceptHookArgs) -> None:
    """Say nothing of a writer's thread that failed: the training's next curve raises the same."""
    if not type(args.thread).__module__.startswith("tensorboard."):
        threading.__excepthook__(args)


@contextmanager
def _no_stock_writer() -> Iterator[None]:
    """Keep RecBole's trainer from opening a writer of its own, in a folder of its own."""
    with patch.object(recbole.trainer.trainer, "get_tensorboard", lambda _: None):
        yield


def mean_scores(scores: Tensor, rows: Tensor, items: Tensor) -> dict[str, float]:
    """Average the scores of targets and those of all other items, padding aside.

    Args:
        scores: ``[B, n_items]``.
        rows: ``[P]`` row of each target.
        items: ``[P]`` item of each target; no pair of row and item twice.

    Returns:
        The two means, ``targets`` and ``others``.
    """
    of_targets = scores[rows, items].double().sum().item()
    of_all = scores[:, 1:].double().sum().item()
    n_others = scores[:, 1:].numel() - len(items)
    return {"targets": of_targets / max(len(items), 1), "others": (of_all - of_targets) / max(n_others, 1)}


@torch.no_grad()
def score_curves(model: Any, interaction: Any, rows: Tensor, items: Tensor) -> dict[str, float]:
    """Average a model's two sources of scores over the first users of a batch.

    The published program of arXiv 2409.04329 logs the same means; they show which source ranks.

    Args:
        model: Any model; those without a popularity head have no such curves.
        interaction: The batch, on the model's device.
        rows: ``[P]`` row of each target.
        items: ``[P]`` item of each target.

    Returns:
        Value of each curve, by its tag, such as ``scores/network/targets``.
    """
    if getattr(model, "popularity_head", None) is None:
        return {}
    sampled = rows < SAMPLED_USERS
    interaction, rows, items = interaction[:SAMPLED_USERS], rows[sampled], items[sampled]
    sources = {"network": model.network_scores, "popularity": model.popularity_scores}
    return {
        f"scores/{source}/{of}": mean
        for source, scores_of in sources.items()
        for of, mean in mean_scores(scores_of(interaction), rows, items).items()
    }
