"""RecBole's trainer, with our evaluation and with checkpoints that hold no code."""

from __future__ import annotations

import json
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
from recbole_popaware.fusion import WeightTrials
from recbole_popaware.optimisation import ScheduledTraining
from recbole_popaware.random_state import read_random_state, restore_random_state
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


class TrainerAdapter(ValidationCurves, WeightTrials, ScheduledTraining, DistributedTraining):
    """Mixin before a RecBole trainer; differs from stock in its evaluation and in its checkpoints.

    Stock pickles its ``Config`` into a checkpoint. Ours holds the settings as JSON text, loads with
    ``weights_only=True``, and replaces the old file in one step. It also knows what training needs to go on
    as if it had not stopped: the state of the random numbers, the losses and the best result so far.
    """

    config: Any
    model: Any
    optimizer: Any
    device: torch.device
    cur_step: int
    start_epoch: int
    best_valid_score: float
    saved_model_file: str
    best_valid_result: Any
    train_loss_dict: dict[int, float]
    _valid_result: Any = None  # the latest; stock notes the best one only after it has saved
    _generator: torch.Generator
    _resumed: dict[str, Any] | None = None

    def __init__(self, config: Any, model: Any) -> None:
        super().__init__(config, model)
        self._generator = torch.Generator()
        self.eval_collector = PopAwareCollector(config)
        self.evaluator = PopAwareEvaluator(config)

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        """Train; see stock. After :meth:`resume_checkpoint`, random numbers go on where they were.

        RecBole's SINE turns torch's anomaly detection on for the whole process when it is imported, and
        with it a search for NaN in every gradient. It is off here; the loss of each batch is still checked.
        """
        self._generator = train_data.generator or torch.Generator()  # RecBole saves loaders without theirs
        if self._resumed is not None:
            restore_random_state(self._resumed, self._generator)
        with torch.autograd.set_detect_anomaly(False):
            return super().fit(train_data, *args, **kwargs)

    def _valid_epoch(self, *args: Any, **kwargs: Any) -> Any:
        score, self._valid_result = super()._valid_epoch(*args, **kwargs)
        return score, self._valid_result

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
            "item_numbering": getattr(self.model, "item_numbering", None),
            "other_parameter": {
                name: value
                for name, value in self.model.other_parameter().items()
                if not isinstance(value, torch.nn.Module)  # DIN's; its weights are in state_dict already
            },
            "optimizer": self.optimizer.state_dict(),
            "best_valid_result": {k: float(v) for k, v in (self._valid_result or {}).items()},
            "train_loss": dict(self.train_loss_dict),
            "random": read_random_state(self._generator),
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
        """Go on from a checkpoint of ours, as training would have gone on from there.

        Raises:
            UsageError: If it is not a checkpoint of ours, or of another model or data set.
        """
        checkpoint = read_checkpoint(resume_file, self.device)
        settings = json.loads(checkpoint["settings"])
        for name in ("model", "dataset"):
            if settings[name] != self.config[name]:
                raise UsageError(f"{resume_file} is of {name} {settings[name]}, not {self.config[name]}")
        self.saved_model_file = os.fspath(resume_file)
        self.start_epoch = checkpoint["epoch"] + 1
        self.cur_step = checkpoint["cur_step"]
        self.best_valid_score = checkpoint["best_valid_score"]
        self.best_valid_result = checkpoint["best_valid_result"] or None
        self.train_loss_dict.update(checkpoint["train_loss"])
        self._resumed = checkpoint["random"]
        try:
            self.model.load_state_dict(checkpoint["state_dict"])
            self.optimizer.load_state_dict(checkpoint["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise UsageError(f"{resume_file} does not fit the model as it is set up now: {error}") from error
        self.model.load_other_parameter(checkpoint["other_parameter"])
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
        elif self.config["pps_learning_rate"] and "params" not in kwargs:
            kwargs["params"] = self._parameter_groups()
        optimizer: torch.optim.Optimizer = super()._build_optimizer(**kwargs)
        return optimizer

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """The head's parameters apart from all others, without weight decay."""
        groups: list[dict[str, Any]] = [{"params": []}, {"params": []}]
        for name, parameter in self.model.named_parameters():
            groups[name.startswith("popularity_head.")]["params"].append(parameter)
        groups[1].update(lr=self.config["pps_learning_rate"], weight_decay=0.0)
        return [group for group in groups if group["params"]]

    def _train_epoch(self, train_data: Any, epoch_idx: int, *args: Any, **kwargs: Any) -> Any:
        if not self._learns():
            return 0.0
        return super()._train_epoch(train_data, epoch_idx, *args, **kwargs)
