"""Read checkpoints: tensors and plain values, the settings as JSON text, every entry checked, no code run."""

from __future__ import annotations

import json
import math
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

from recbole_popaware.catalogue import is_entry
from recbole_popaware.errors import UsageError
from recbole_popaware.files import replacing
from recbole_popaware.other_parameters import load_other_parameters
from recbole_popaware.trust import keep_harmless

_STOCK_CONFIGS = (b"recbole.config.configurator", b"recbole_popaware.config")  # ours by a trainer of theirs


def _is_whole(least: int) -> Callable[[Any], bool]:
    return lambda x: type(x) is int and x >= least


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and not math.isnan(x)


def _maps(key: type, holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, dict) and all(isinstance(k, key) and holds(v) for k, v in x.items())


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


# What each entry must be, and how to say it.
_NEEDED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "settings": (lambda x: isinstance(x, str), "text"),
    "state_dict": (_maps(str, _is_tensor), "tensors by name"),
}
_TO_RESUME: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epoch": (_is_whole(-1), "a whole number"),
    "cur_step": (_is_whole(0), "a whole number"),
    "best_valid_score": (_is_number, "a number"),
    "best_valid_result": (_maps(str, _is_number), "numbers by name"),
    "train_loss": (_maps(int, _is_number), "numbers by epoch"),
    "optimizer": (_maps(str, lambda _: True), "a state by name"),
    "random": (_maps(str, lambda _: True), "a state by name"),
}
_OTHERS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "item_numbering": (lambda x: x is None or isinstance(x, str), "text"),
    "catalogue": (is_entry, "item ids and plays"),
    "other_parameter": (lambda x: x is None or _maps(str, lambda _: True)(x), "values by name"),
}


def write_checkpoint(file: Path, state: Mapping[str, Any], *, new: bool) -> None:
    """Write a checkpoint in one step.

    Args:
        file: The file.
        state: Its entries.
        new: Refuse to replace a file.

    Raises:
        UsageError: If it cannot be written.
    """
    with replacing(file, new=new) as part:
        try:
            torch.save(state, part)
        except RuntimeError as error:  # torch's writer, which is no Python and hides the system's reason
            reason = str(error).splitlines()[0]
            raise UsageError(f"{file} cannot be written ({reason}); is the disk full?") from error


def read_checkpoint(
    file: str | os.PathLike[str],
    device: torch.device | str = "cpu",
    *,
    trust_pickle: bool = False,
    to_resume: bool = False,
) -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        file: A file that this package saved: tensors and plain values, the settings as JSON text.
        device: Where the tensors go.
        trust_pickle: Also read files with pickled objects, such as stock RecBole's. Reading one runs
            whatever code it holds, so use it only for files whose origin you trust.
        to_resume: Insist on all that a training needs to go on.

    Raises:
        UsageError: If the file is missing or damaged, is no checkpoint, or holds pickled objects.
    """
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"checkpoint {path} is not there, or is no file")
    pickled = _read_archive(path)
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=not trust_pickle)
    except pickle.UnpicklingError as error:
        what_to_do = "it is no checkpoint of this package"
        if any(config in pickled for config in _STOCK_CONFIGS):
            what_to_do = (
                "stock RecBole's checkpoints do that; if you trust where it comes from, call "
                "load_data_and_model(..., trust_pickle=True)"
            )
        raise UsageError(
            f"{path} holds pickled objects, and reading them can run code; {what_to_do}"
        ) from error
    except Exception as error:  # a parser at work on whatever bytes there are
        raise UsageError(f"checkpoint {path} is damaged ({_short(error)})") from error
    _check_entries(path, checkpoint, to_resume)
    return dict(checkpoint)


def read_settings(checkpoint: Mapping[str, Any], file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the settings of a checkpoint, those left out that name files or folders; the data's folder stays.

    Raises:
        UsageError: If they are damaged.
    """
    if "settings" not in checkpoint:
        return keep_harmless(_stock_settings(checkpoint["config"]), Path(file), data_path=True)
    try:
        settings = json.loads(checkpoint["settings"])
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the settings in checkpoint {file} are damaged: {_short(error)}") from error
    if not isinstance(settings, dict):
        raise UsageError(f"the settings in checkpoint {file} are damaged: they are no table of properties")
    for name in ("model", "dataset"):
        if not isinstance(settings.get(name), str):
            raise UsageError(f"the settings in checkpoint {file} are damaged: they name no {name}")
    return keep_harmless(settings, Path(file), data_path=True)


def load_weights(model: torch.nn.Module, checkpoint: Mapping[str, Any], otherwise: str) -> None:
    """Load the weights of a checkpoint, and what a model keeps beside them.

    Args:
        model: A model of RecBole's kind.
        checkpoint: What :func:`read_checkpoint` returned.
        otherwise: What to say if they do not fit.

    Raises:
        UsageError: If they do not fit.
    """
    with _fitting(otherwise):
        model.load_state_dict(checkpoint["state_dict"])
        load_other_parameters(model, checkpoint.get("other_parameter") or {})


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any], otherwise: str) -> None:
    """Load the state of an optimiser, if each of its tensors has the shape of its parameter.

    Raises:
        UsageError: If it does not fit.
    """
    now = optimizer.state_dict()
    with _fitting(otherwise):
        for group, saved in zip(now["param_groups"], state["param_groups"]):
            kinds, saved_kinds = ({k: _kind(v) for k, v in g.items()} for g in (group, saved))
            if kinds != saved_kinds:
                raise ValueError("the optimizer is another one")
        optimizer.load_state_dict(state)
        for parameter, values in optimizer.state.items():
            for name, value in values.items():
                if not (_is_number(value) or (_is_tensor(value) and value.shape in ((), parameter.shape))):
                    raise ValueError(f"the optimizer's [{name}] does not fit its parameter")


@contextmanager
def _fitting(otherwise: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # torch meets values of any kind
        raise UsageError(f"{otherwise} ({_short(error)})") from error


def _kind(value: Any) -> Any:
    return float if _is_number(value) else type(value)


def _read_archive(path: Path) -> bytes:
    """Check that a file is what ``torch.save`` writes, each of its parts unchanged; its pickled part.

    torch itself compares no checksums: a flipped bit would be another weight.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            inner = [
                e.filename for e in entries if e.filename.endswith("/data.pkl") or e.filename == "data.pkl"
            ]
            if inner and all(entry.compress_type == ZIP_STORED for entry in entries):
                damaged = archive.testzip()
                if damaged is None:
                    return archive.read(inner[0])
                raise UsageError(f"checkpoint {path} is damaged: the checksum of {damaged} is wrong")
    except UsageError:
        raise
    except Exception as error:  # a parser at work on whatever bytes there are
        raise UsageError(f"{path} is not a checkpoint, or is cut off ({_short(error)})") from error
    raise UsageError(f"{path} is not a checkpoint: training writes those, such as saved/PopSASRec-….pth")


def _check_entries(path: Path, checkpoint: Any, to_resume: bool) -> None:
    if not isinstance(checkpoint, dict):
        raise UsageError(f"{path} is not a checkpoint: it holds no entries by name")
    stock = "config" in checkpoint and "settings" not in checkpoint
    needed = {k: v for k, v in _NEEDED.items() if not (stock and k == "settings")}
    if to_resume:
        needed.update(_TO_RESUME)
    for name in needed:
        if name not in checkpoint:
            raise UsageError(f"{path} is not a checkpoint of this package: it has no {name}")
    for name, (accepts, what) in {**needed, **_OTHERS}.items():
        if name in checkpoint and not accepts(checkpoint[name]):
            raise UsageError(f"checkpoint {path} is damaged: {name} is not {what}")


def _stock_settings(config: Any) -> dict[str, Any]:
    settings = {k: v for k, v in config.internal_config_dict.items() if k != "train_neg_sample_args"}
    return {**settings, **config.external_config_dict, "model": config.model, "dataset": config.dataset}


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
