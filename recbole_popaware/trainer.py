"""RecBole's trainer, with our evaluation and with checkpoints that hold no code."""

from __future__ import annotations

import os
import pickle
from logging import getLogger
from pathlib import Path
from typing import Any

import recbole.trainer
import torch

from recbole_popaware.distributed import DistributedTraining, is_first
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.evaluator import PopAwareEvaluator
from recbole_popaware.tensorboard import ValidationCurves

logger = getLogger(__name__)


def read_checkpoint(
    file: str | os.PathLike[str], device: torch.device | str = "cpu", *, trust_pickle: bool = False
) -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        file: A file that this package saved: tensors and plain values, the settings as JSON text.
        device: Where the tensors go.
        trust_pickle: Also read files with pickled objects, such as stock RecBole's. Reading one runs
            whatever code it holds, so use it only for files whose origin you trust.

    Raises:
        UsageError: If the file is missing, is no checkpoint, or holds pickled objects.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"checkpoint {path} is not there")
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=not trust_pickle)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} holds pickled objects, as stock RecBole's checkpoints do, and reading them can run "
            f"code; if you trust where it comes from, call load_data_and_model(..., trust_pickle=True)"
        ) from error
    except (RuntimeError, EOFError) as error:
        raise UsageError(f"{path} is not a checkpoint, or is cut off ({error})") from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise UsageError(f"{path} is not a RecBole checkpoint: it has no state_dict")
    return checkpoint


class TrainerAdapter(ValidationCurves, DistributedTraining):
    """Mixin before a RecBole trainer; differs from stock in its evaluation and in its checkpoints.

    Stock pickles its ``Config`` into a checkpoint. Ours holds the settings as JSON text, loads with
    ``weights_only=True``, and replaces the old file in one step.
    """

    config: Any
    model: Any
    optimizer: Any
    device: torch.device
    cur_step: int
    start_epoch: int
    best_valid_score: float
    saved_model_file: str

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        self.eval_collector = PopAwareCollector(config)
        self.evaluator = PopAwareEvaluator(config)

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        if not is_first(self.config):
            return
        file = Path(kwargs.pop("saved_model_file", self.saved_model_file))
        state = {
            "settings": self.config.settings_as_text(),
            "epoch": epoch,
            "cur_step": self.cur_step,
            "best_valid_score": float(self.best_valid_score),
            "state_dict": self.model.state_dict(),
            "other_parameter": {
                name: value
                for name, value in self.model.other_parameter().items()
                if not isinstance(value, torch.nn.Module)  # DIN's; its weights are in state_dict already
            },
            "optimizer": self.optimizer.state_dict(),
        }
        unfinished = file.with_name(file.name + ".part")
        try:
            torch.save(state, unfinished)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
        if verbose:
            logger.info("Saving current: %s", file)

    def resume_checkpoint(self, resume_file: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint of ours: weights, optimiser and the count of epochs."""
        checkpoint = read_checkpoint(resume_file, self.device)
        self.saved_model_file = os.fspath(resume_file)
        self.start_epoch = checkpoint["epoch"] + 1
        self.cur_step = checkpoint["cur_step"]
        self.best_valid_score = checkpoint["best_valid_score"]
        self.model.load_state_dict(checkpoint["state_dict"])
        self.model.load_other_parameter(checkpoint["other_parameter"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        logger.info("Resuming from epoch %d of %s", self.start_epoch, resume_file)


class Trainer(TrainerAdapter, recbole.trainer.Trainer):
    """Stock loop; a model without parameters is evaluated once instead of trained."""

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        if not self._learns():
            self.epochs = self.eval_step = 1

    def _learns(self) -> bool:
        return any(parameter.requires_grad for parameter in self.model.parameters())

    def _build_optimizer(self, **kwargs: Any) -> torch.optim.Optimizer:
        if not self._learns():  # torch refuses an optimiser over nothing
            kwargs["params"] = [torch.nn.Parameter(torch.empty(0))]
        optimizer: torch.optim.Optimizer = super()._build_optimizer(**kwargs)
        return optimizer

    def _train_epoch(self, train_data: Any, epoch_idx: int, *args: Any, **kwargs: Any) -> Any:
        if not self._learns():
            return 0.0
        return super()._train_epoch(train_data, epoch_idx, *args, **kwargs)
