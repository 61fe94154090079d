"""RecBole's models with several stages of training: S3Rec and RaCT."""

from __future__ import annotations

from logging import getLogger
from pathlib import Path
from typing import Any

from recbole_popaware.errors import UsageError
from recbole_popaware.trainer import TrainerAdapter

logger = getLogger(__name__)


def is_pretraining(config: Any) -> bool:
    """Whether a training ends with weights for a next stage, without any validation."""
    return str(config["train_stage"]).endswith("pretrain")


class PretrainAdapter(TrainerAdapter):
    """Mixin before a RecBole trainer with ``pretrain``; differs from stock in what follows.

    * The last epoch is saved as well where ``save_step`` does not divide ``pretrain_epochs``.
    * Measures of repeats can be computed, for the test part, of pre-trained weights too.

    Raises:
        UsageError: If ``save_step`` is below 1.
    """

    def __init__(self, config: Any, model: Any) -> None:
        if config["save_step"] < 1:
            raise UsageError(f"save_step is [{config['save_step']}], but must be a whole number from 1 on")
        super().__init__(config, model)
        if is_pretraining(config):
            self.epochs = config["pretrain_epochs"]  # what a schedule of the learning rate is laid out for

    def pretrain(self, train_data: Any, verbose: bool = True, show_progress: bool = False) -> Any:
        """Train without validation, saving as it goes; see stock."""
        self.eval_collector.data_collect(train_data)
        result = super().pretrain(train_data, verbose, show_progress)
        names = self.config["model"], self.config["dataset"], self.epochs
        last = Path(self.config["checkpoint_dir"], "-".join(map(str, names)) + ".pth")
        if self.epochs % self.config["save_step"] or self.saved_model_file != str(last):
            self.save_pretrained_model(self.epochs - 1, str(last))
        logger.info("Weights for the next stage: --pre_model_path=%s", last)
        return result
