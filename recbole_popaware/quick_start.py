"""From settings to a trained and evaluated model in one call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple, TypedDict

from recbole.utils import init_seed

from recbole_popaware import log as run_log
from recbole_popaware import tensorboard
from recbole_popaware.catalogue import Catalogue, numbering
from recbole_popaware.checkpoint import load_weights, read_checkpoint, read_settings
from recbole_popaware.compat import dok_updates, missing_package
from recbole_popaware.config import Config
from recbole_popaware.data.dataset import HistoryDataset, windows_named
from recbole_popaware.data.utils import SharedData, create_dataset, data_preparation
from recbole_popaware.distributed import is_first
from recbole_popaware.errors import UsageError
from recbole_popaware.extending import extend, read_earlier
from recbole_popaware.files import check_folder, one_line, replacing
from recbole_popaware.schema.catalogue import check_catalogue
from recbole_popaware.schema.memory import check_memory, limit_evaluation
from recbole_popaware.trust import no_pickles
from recbole_popaware.utils import get_trainer

logger = getLogger(__name__)


class Prepared(NamedTuple):
    """A model with the data it is trained and evaluated on.

    The order is that of the tuple that RecBole's ``load_data_and_model`` returns, so that code written for
    that one unpacks this one too.
    """

    config: Config
    model: Any
    dataset: Any
    train_data: Any
    valid_data: Any
    test_data: Any


class RunResult(TypedDict):
    """What a training returns: a dictionary, as RecBole's ``run_recbole`` returns one, with known keys.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        best_valid_score: ``valid_metric`` of the best epoch.
        valid_score_bigger: Whether a greater score is better.
        best_valid_result: All measures of the best epoch on the validation part, such as ``ndcg@10``;
            ``None`` without validation.
        test_result: The same on the test part, of the best epoch's weights.
        epochs: Epochs trained.
        seconds: Time of training with validation.
        evaluation_seconds: Time of the test.
        checkpoint: File of the best weights; ``None`` if they are not kept.
        per_user: File with the measures of every user; ``None`` unless ``save_per_user`` asks for it.
    """

    model: str
    dataset: str
    best_valid_score: float
    valid_score_bigger: bool
    best_valid_result: dict[str, float] | None
    test_result: dict[str, float]
    epochs: int
    seconds: float
    evaluation_seconds: float
    checkpoint: str | None
    per_user: str | None


@dataclass(frozen=True)
class Trained:
    """A trained model with its trainer, and what :func:`run_recbole_popaware` returns."""

    prepared: Prepared
    trainer: Any
    result: RunResult


def run_recbole_popaware(
    model: str | type | None = None,
    dataset: str | None = None,
    config_file_list: Sequence[str] | None = None,
    config_dict: dict[str, Any] | None = None,
    saved: bool = True,
) -> RunResult:
    """Train a model and evaluate it; RecBole's ``run_recbole`` with our classes.

    Args:
        model: Name or class; ours or RecBole's.
        dataset: Data set name; default: the demo data.
        config_file_list: YAML files of properties, later ones win.
        config_dict: Properties that win over files; the command line wins over these.
        saved: Keep the checkpoint of the best weights. Those are evaluated in any case.

    Returns:
        RecBole's keys and more; see :class:`RunResult`.

    Raises:
        UsageError: If settings or data cannot work.
    """
    return train_and_evaluate(Config(model, dataset, config_file_list, config_dict), saved)


def train_and_evaluate(config: Config, saved: bool = True) -> RunResult:
    """Do what :func:`run_recbole_popaware` does for settings that are read already."""
    return train(config, saved).result


def train(
    config: Config, saved: bool = True, on_epoch: Callable[[int, float], None] | None = None
) -> Trained:
    """Train and evaluate, and hand over the trained model too.

    Args:
        config: The settings.
        saved: As in :func:`run_recbole_popaware`.
        on_epoch: Called after each validation with the epoch, from 0, and its score.
    """
    init_seed(config["seed"], config["reproducibility"])
    with run_log.quiet_if_refused():
        if is_first(config):
            run_log.init_logger(config)
        run_log.log_settings(config)
        check_files(config)
        return train_prepared(prepare(config), saved, on_epoch)


def check_files(config: Config) -> None:
    """Check what a training reads and writes beside its data, before these are loaded.

    Raises:
        UsageError: If a folder cannot be written to, or ``resume_from`` or ``extend_from`` is no
            checkpoint to go on from.
    """
    if is_first(config):
        check_folder(config["checkpoint_dir"], "checkpoint_dir")
        check_folder(config["tensorboard_dir"] or tensorboard.ROOT, tensorboard.TITLE)
    if config["resume_from"]:
        check_folder(Path(config["resume_from"]).parent, "the folder of resume_from")
        read_checkpoint(config["resume_from"], to_resume=True)
    if config["extend_from"]:
        read_earlier(config["extend_from"], config)


def train_prepared(
    prepared: Prepared, saved: bool = True, on_epoch: Callable[[int, float], None] | None = None
) -> Trained:
    """Do what :func:`train` does for a model that is ready."""
    config = prepared.config
    check_catalogue(config, prepared.dataset.item_num - 1)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, prepared.model)
    if config["resume_from"]:
        trainer.resume_checkpoint(config["resume_from"])
    elif config["extend_from"]:
        extend(prepared.model, prepared.dataset, config["extend_from"], config)
    run_log.show()  # what could be a mistake of the user has been looked at
    # Beside the weights, or where they would be.
    per_user = Path(trainer.saved_model_file).with_suffix(".per_user.parquet")
    if saved:
        trained = _train(prepared, trainer, on_epoch)
    else:
        with TemporaryDirectory() as folder:
            best = Path(folder, "best.pth")
            if config["resume_from"]:  # the best so far
                shutil.copy(config["resume_from"], best)
            trainer.saved_model_file = str(best)
            trained = _train(prepared, trainer, on_epoch)
            trained.result["checkpoint"] = None
    if config["save_per_user"] and is_first(config):
        names = prepared.dataset.field2id_token[config["USER_ID_FIELD"]]
        with replacing(per_user) as part:
            trainer.evaluator.per_user(names).to_parquet(part, index=False)
        logger.info("Measures of every user: %s", per_user)
        trained.result["per_user"] = str(per_user)
    return trained


def _train(prepared: Prepared, trainer: Any, on_epoch: Callable[[int, float], None] | None) -> Trained:
    """Train, and evaluate the weights of the best epoch."""
    config, started = prepared.config, perf_counter()
    with windows_named(config["model"], prepared.train_data.dataset):
        best_score, best_result = trainer.fit(
            prepared.train_data,
            prepared.valid_data,
            show_progress=config["show_progress"],
            callback_fn=on_epoch,
        )
    fitted = perf_counter()
    test_result = trainer.evaluate(prepared.test_data, show_progress=config["show_progress"])
    result: RunResult = {
        "model": config["model"],
        "dataset": config["dataset"],
        "best_valid_score": best_score,
        "valid_score_bigger": config["valid_metric_bigger"],
        "best_valid_result": best_result,
        "test_result": test_result,
        "epochs": len(trainer.train_loss_dict),
        "seconds": fitted - started,
        "evaluation_seconds": perf_counter() - fitted,
        "checkpoint": trainer.saved_model_file,
        "per_user": None,
    }
    with one_line("TensorBoard's curves cannot be written"):
        trainer.tensorboard.close()
    return Trained(prepared, trainer, result)


def prepare(config: Config, shared: SharedData | None = None) -> Prepared:
    """Load and split the data, and build the model on the training part.

    Args:
        config: The settings.
        shared: Data loaded before, to be used again where they fit.

    Raises:
        UsageError: If the data cannot be split or the model refuses a property.
    """
    try:
        dataset = create_dataset(config) if shared is None else shared.dataset(config)
        logger.info(dataset)
        limit_evaluation(config, dataset.item_num)
        loaders = train_data, valid_data, test_data = data_preparation(config, dataset)
    except UsageError:
        raise
    except (ValueError, NotImplementedError) as error:  # RecBole's of settings that do not fit the data
        raise UsageError(f"data set [{config['dataset']}] with these properties: {error}") from error
    except KeyError as error:
        raise UsageError(f"data set [{config['dataset']}] lacks the field {error}") from error
    sizes = [len(loader.dataset) for loader in loaders]
    if not (sizes[0] and sizes[2]):
        raise UsageError(
            f"data set [{config['dataset']}] is too small to split: {sizes[0]} rows to train, "
            f"{sizes[1]} to validate, {sizes[2]} to test"
        )
    check_memory(config, train_data.sample_size)
    rank = config["local_rank"] + (config["offset"] or 0)
    init_seed((config["seed"] + rank) % 2**32, config["reproducibility"])
    try:
        with no_pickles(), dok_updates():
            model = config.model_class(config, train_data.dataset).to(config["device"])
    except ModuleNotFoundError as error:
        raise missing_package(config["model"], error) from error
    except KeyError as error:
        raise UsageError(
            f"{config['model']} needs the field {error}, which data set [{config['dataset']}] does not load; "
            f"name the features it has in load_col and selected_features"
        ) from error
    except (
        *(ValueError, TypeError, NotImplementedError, AssertionError),
        *(ArithmeticError, RuntimeError, MemoryError),
        *(OSError, UnpicklingError),
    ) as error:
        raise UsageError(f"{config['model']} refuses its properties: {error}") from error
    names = [str(name) for name in dataset.field2id_token[dataset.iid_field]]
    model.item_numbering = numbering(names)
    if isinstance(train_data.dataset, HistoryDataset):
        trained = train_data.dataset
        model.catalogue = Catalogue(names, trained.item_plays(), trained.item_popularity()).entry()
    logger.info(model)
    return Prepared(config, model, dataset, train_data, valid_data, test_data)


def load_data_and_model(
    model_file: str | os.PathLike[str],
    config_dict: dict[str, Any] | None = None,
    *,
    trust_pickle: bool = False,
    log: bool = True,
) -> Prepared:
    """Load a checkpoint together with the data it was trained on.

    Args:
        model_file: A checkpoint of this package, or of stock RecBole with ``trust_pickle``.
        config_dict: Properties that replace those of the checkpoint, such as ``data_path``.
        trust_pickle: Read pickled objects too; see :func:`~recbole_popaware.checkpoint.read_checkpoint`.
        log: Set up RecBole's log, on the terminal and in a file.

    Raises:
        UsageError: If the file cannot be read, or its data set is not there or has changed.
    """
    checkpoint = read_checkpoint(model_file, trust_pickle=trust_pickle)
    settings = read_settings(checkpoint, model_file)
    settings.update(config_dict or {})
    config = Config(config_dict=settings, argv=())
    init_seed(config["seed"], config["reproducibility"])
    if log:
        run_log.init_logger(config)
    with run_log.quiet_if_refused() if log else nullcontext():  # without, it is for the caller to say
        prepared = prepare(config)
        _fill(prepared, checkpoint, model_file)
    return prepared


def _fill(prepared: Prepared, checkpoint: dict[str, Any], file: str | os.PathLike[str]) -> None:
    """Give a model the weights of a checkpoint, if it is on the data of the training."""
    data = f"data set [{prepared.config['dataset']}] as it is now"
    otherwise = f"{file} does not fit {data}; is it the one that the model was trained on?"
    load_weights(prepared.model, checkpoint, otherwise)
    if checkpoint.get("item_numbering") not in (None, prepared.model.item_numbering):
        raise UsageError(
            f"{file} numbers items otherwise than {data}; give it the .inter file of the training (numbers "
            f"go by an item's first row)"
        )
