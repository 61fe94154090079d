"""RecBole's trainer, with our evaluation and with checkpoints that hold no code."""

from __future__ import annotations

import json
import os
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any

import recbole.trainer
import torch

from recbole_popaware.checkpoint import (
    load_optimizer,
    load_weights,
    read_checkpoint,
    read_settings,
    write_checkpoint,
)
from recbole_popaware.collapse import CollapseWatch
from recbole_popaware.compat import missing_package
from recbole_popaware.curves import Sample, ValidationCurves, score_curves, term_curves
from recbole_popaware.distributed import DistributedTraining, is_first
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.collector import PopAwareCollector
from recbole_popaware.evaluator.evaluator import PopAwareEvaluator
from recbole_popaware.files import check_folder, one_line, unique_name
from recbole_popaware.fusion import WeightTrials
from recbole_popaware.optimisation import ScheduledTraining, steps_of
from recbole_popaware.other_parameters import other_parameters, stored
from recbole_popaware.random_state import read_random_state, restore_random_state
from recbole_popaware.tables import tables_of
from recbole_popaware.tensorboard import no_stock_writer, open_writer
from recbole_popaware.time_limit import TimedTraining
from recbole_popaware.trust import keep_harmless

logger = getLogger(__name__)

REPLAY_RATE = 0.003  # of the replay head, which learns from far fewer examples than a network


class TrainerAdapter(TimedTraining, ScheduledTraining, DistributedTraining, recbole.trainer.Trainer):
    """Mixin before a RecBole trainer; differs from stock in its evaluation and in its checkpoints.

    A validation is made with each of ``network_weights``, if there are some, and shown in TensorBoard, in
    the folder ``tensorboard_dir``.

    Stock pickles its ``Config`` into a checkpoint. Ours holds the settings as JSON text, loads with
    ``weights_only=True``, and replaces the old file in one step. It also knows what training needs to go on
    as if it had not stopped: the state of the random numbers, the losses and the best result so far.
    No two trainings have a checkpoint of the same name, and one whose loss is no number ends in one line.
    """

    _valid_result: Any = None  # the latest; stock notes the best one only after it has saved
    _generator: torch.Generator
    _resumed: dict[str, Any] | None = None
    _written = False  # whether the checkpoint is there, and ours to replace

    def __init__(self, config: Any, model: Any) -> None:
        check_folder(config["checkpoint_dir"], "checkpoint_dir")
        with no_stock_writer():
            super().__init__(config, model)
        self.tensorboard = open_writer(config["tensorboard_dir"], is_first(config))
        self._curves = ValidationCurves(self.tensorboard, (score_curves, term_curves, CollapseWatch()))
        self._weight_trials = WeightTrials(self.model, config["network_weights"], self.valid_metric_bigger)
        name = f"{unique_name(config['model'])}.pth"
        self.saved_model_file = os.path.join(config["checkpoint_dir"], name)  # noqa: PTH118  # text, as stock's
        self._generator = torch.Generator()
        self.eval_collector = PopAwareCollector(config)
        self.evaluator = PopAwareEvaluator(config)

    def fit(self, train_data: Any, *args: Any, **kwargs: Any) -> Any:
        """Train; see stock. After :meth:`resume_checkpoint`, random numbers go on where they were.

        RecBole's SINE turns torch's anomaly detection on for the whole process when it is imported, and
        with it a search for NaN in every gradient. It is off here; the loss of each batch is still checked.
        """
        self._generator = train_data.generator
        if self._resumed is not None:
            restore_random_state(self._resumed, self._generator, self.saved_model_file)
        with (
            torch.autograd.set_detect_anomaly(False),
            one_line("training has to stop, a file is not written"),
        ):
            try:
                return super().fit(train_data, *args, **kwargs)
            except ModuleNotFoundError as error:
                raise missing_package(self.config["model"], error) from error

    def _valid_epoch(self, *args: Any, **kwargs: Any) -> Any:
        self._curves.start()
        score, result = self._weight_trials(partial(super()._valid_epoch, *args, **kwargs))
        self._curves.finish(max(self.train_loss_dict, default=0), result)
        self._valid_result = result
        return score, result

    def _full_sort_batch_eval(self, batched_data: Any) -> Any:
        batch = interaction, _, rows, items = super()._full_sort_batch_eval(batched_data)
        if self._curves.wants_sample:
            interaction, rows, items = (part.to(self.device) for part in (interaction, rows, items))
            self._curves.take(Sample(self.model, interaction, rows, items, steps_of(self.optimizer)))
        return batch

    def _check_nan(self, loss: Any) -> None:
        if torch.isfinite(loss) or (self.enable_scaler and not torch.isnan(loss)):
            return  # a gradient scaler passes over a step that is too large
        raise UsageError(
            f"the training loss is {loss.item()}, so training has to stop; try a lower learning_rate (it is "
            f"{self.config['learning_rate']}) or clip_grad_norm: {{max_norm: 5}}"
        )

    def _save_checkpoint(self, epoch: int, verbose: bool = True, **kwargs: Any) -> None:
        if not is_first(self.config):
            return
        file = Path(kwargs.pop("saved_model_file", self.saved_model_file))
        settings = keep_harmless(json.loads(self.config.settings_as_text()), file, data_path=True, warn=False)
        state = {
            "settings": json.dumps(settings),
            "epoch": max(epoch, self.start_epoch - 1),  # stock says -1 where a resumed training has no more
            "cur_step": self.cur_step,
            "best_valid_score": float(self.best_valid_score),
            "state_dict": self.model.state_dict(),
            "item_numbering": getattr(self.model, "item_numbering", None),
            "catalogue": getattr(self.model, "catalogue", None),
            "other_parameter": stored(other_parameters(self.model)),
            "optimizer": self.optimizer.state_dict(),
            "best_valid_result": {k: float(v) for k, v in (self._valid_result or {}).items()},
            "train_loss": dict(self.train_loss_dict),
            "random": read_random_state(self._generator),
        }
        is_own = os.fspath(file) == self.saved_model_file
        write_checkpoint(file, state, new=is_own and not self._written)
        self._written = self._written or is_own
        if verbose:
            logger.info("Saving current: %s", file)

    def save_pretrained_model(self, epoch: int, saved_model_file: str) -> None:
        """Save what RecBole's pre-training has made; stock pickles it, and then cannot read it again."""
        self._save_checkpoint(epoch, verbose=False, saved_model_file=saved_model_file)
        self.saved_model_file, self._written = saved_model_file, True

    def resume_checkpoint(self, resume_file: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint of ours, as training would have gone on from there.

        Raises:
            UsageError: If it is not a checkpoint of ours, or of another model or data set.
        """
        checkpoint = read_checkpoint(resume_file, self.device, to_resume=True)
        settings = read_settings(checkpoint, resume_file)
        for name in ("model", "dataset"):
            if settings[name] != self.config[name]:
                raise UsageError(f"{resume_file} is of {name} {settings[name]}, not {self.config[name]}")
        otherwise = f"{resume_file} does not fit the model as it is set up now"
        load_weights(self.model, checkpoint, otherwise)
        load_optimizer(self.optimizer, checkpoint["optimizer"], otherwise)
        self._resumed = checkpoint["random"]
        restore_random_state(self._resumed, torch.Generator(), otherwise)  # a trial; the loader has its own
        self.saved_model_file, self._written = os.fspath(resume_file), True
        self.start_epoch = checkpoint["epoch"] + 1
        self.cur_step = checkpoint["cur_step"]
        self.best_valid_score = checkpoint["best_valid_score"]
        self.best_valid_result = self._valid_result = checkpoint["best_valid_result"] or None
        self.train_loss_dict.update(checkpoint["train_loss"])
        logger.info("Resuming from epoch %d of %s", self.start_epoch, resume_file)


class Trainer(TrainerAdapter):
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
        elif "params" not in kwargs:
            kwargs["params"] = self._parameter_groups()
        optimizer: torch.optim.Optimizer = super()._build_optimizer(**kwargs)
        return optimizer

    @property
    def _head_rate(self) -> float | None:
        """Learning rate of the head, if it has one of its own."""
        own = REPLAY_RATE if self.config["popularity_head"] == "replay" else None
        rate: float | None = self.config["pps_learning_rate"] or own
        return rate

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters of the optimiser: a head with a rate of its own apart from others, no sparse tables."""
        groups: list[dict[str, Any]] = [{"params": []}, {"params": []}]
        tables, rate = {id(table) for table in tables_of(self.model)}, self._head_rate
        for name, parameter in self.model.named_parameters():
            apart = rate is not None and name.startswith(("popularity_head.", "replay."))
            if id(parameter) not in tables:
                groups[apart]["params"].append(parameter)
        groups[1].update(lr=rate, weight_decay=0.0)
        return [group for group in groups if group["params"]]

    def _train_epoch(self, train_data: Any, epoch_idx: int, *args: Any, **kwargs: Any) -> Any:
        if not self._learns():
            return 0.0
        return super()._train_epoch(train_data, epoch_idx, *args, **kwargs)
