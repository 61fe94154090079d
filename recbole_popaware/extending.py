"""Train on from an earlier training, on a log with new plays and new items, numbered anew.

Items are known by their ids. A weight that has a row for each item keeps the rows of items that both logs
have; rows of new items are as the model has drawn them. All other weights are the earlier ones.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from logging import getLogger
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from recbole_popaware.catalogue import Catalogue
from recbole_popaware.checkpoint import read_checkpoint, read_settings
from recbole_popaware.errors import UsageError

logger = getLogger(__name__)

_MOST_MORE = 2  # rows that a table may have after those of the items, such as that of BERT4Rec's mask


class Known(NamedTuple):
    """The items that two catalogues have in common.

    Attributes:
        before: ``[K]`` their numbers in the earlier one, the padding's first.
        now: ``[K]`` their numbers in the other.
        n_before: Items of the earlier one, with the padding.
        n_now: Items of the other.
    """

    before: Tensor
    now: Tensor
    n_before: int
    n_now: int

    @classmethod
    def of(cls, before: Sequence[str], now: Sequence[str]) -> Known:
        """Compare the ids of two catalogues, padding first."""
        number = pd.Index(np.asarray(before, dtype=object)).get_indexer(np.asarray(now, dtype=object))
        both = np.flatnonzero(number >= 0)
        return cls(torch.from_numpy(number[both]), torch.from_numpy(both), len(before), len(now))

    @property
    def renumbered(self) -> bool:
        """Whether an item has another number now."""
        return self.n_before != self.n_now or not torch.equal(self.before, self.now)

    def has_rows(self, before: Tensor, now: Tensor) -> bool:
        """Whether a weight of the earlier model and the same one of today's have a row for each item."""
        if not before.dim() == now.dim() > 0 or before.shape[1:] != now.shape[1:]:
            return False
        more = len(now) - self.n_now
        return len(before) - self.n_before == more and 0 <= more <= _MOST_MORE

    def grown(self, before: Tensor, now: Tensor) -> Tensor:
        """Today's weight with the rows of known items, and those after the items', from the earlier one."""
        grown = now.clone()
        grown[self.now.to(now.device)] = before[self.before.to(before.device)].to(now)
        grown[self.n_now :] = before[self.n_before :].to(now)
        return grown


def read_earlier(file: str | os.PathLike[str], config: Any) -> tuple[dict[str, Tensor], Catalogue]:
    """Read the weights and the items of a checkpoint that a training of a model is to go on from.

    Args:
        file: The checkpoint.
        config: The settings of the training.

    Raises:
        UsageError: If it cannot be read, is of another model, or of a version that kept no item ids.
    """
    checkpoint = read_checkpoint(file)
    model = read_settings(checkpoint, file)["model"]
    if model != config["model"]:
        raise UsageError(f"{file} is of model {model}, not {config['model']}, and cannot be extended to it")
    catalogue = Catalogue.of_checkpoint(checkpoint, file)
    if catalogue is None or checkpoint.get("other_parameter"):
        missing = "item ids" if catalogue is None else "weights that can be trained on"
        raise UsageError(f"extend_from: {file} holds no {missing}; train without it")
    return checkpoint["state_dict"], catalogue


def extend(model: Any, dataset: Any, file: str | os.PathLike[str], config: Any) -> None:
    """Give a new model the weights of an earlier one of its kind, as far as their items are the same.

    Statistics of the log that have a row for each item (buffers) stay those of today's log.

    Args:
        model: The model, with its first weights.
        dataset: Its data set.
        file: Checkpoint of the earlier one.
        config: The settings.

    Raises:
        UsageError: If the two do not fit, or the model has vectors of users, whose ids no checkpoint has.
    """
    before, catalogue = read_earlier(file, config)
    known = Known.of(catalogue.names, list(map(str, dataset.field2id_token[dataset.iid_field])))
    now, learned = model.state_dict(), {name for name, _ in model.named_parameters()}
    if not learned:
        raise UsageError(f"{config['model']} learns nothing, so there is nothing to extend; train without it")
    _refuse_user_tables(model, dataset.user_num, known)
    _check_names(file, before, now)
    weights = {name: _weight(file, name, before[name], now[name], known) for name in now}
    if known.renumbered and known.n_before == known.n_now:
        _check_sizes(file, now, known.n_now, config)
    with torch.no_grad():
        for name, weight in weights.items():
            if name in learned or not known.has_rows(before[name], now[name]):
                now[name].copy_(weight)
    kept, dropped = len(known.now) - 1, known.n_before - len(known.before)
    logger.info("%s: %d items are known, %d are new", file, kept, known.n_now - 1 - kept)
    if dropped:
        logger.warning(
            "%s: %d of its %d items are not in the data and are dropped", file, dropped, known.n_before - 1
        )


def _weight(file: Any, name: str, before: Tensor, now: Tensor, known: Known) -> Tensor:
    if known.has_rows(before, now):
        return known.grown(before, now)
    if before.shape != now.shape:
        raise UsageError(
            f"{file} does not fit the model as it is set up now: [{name}] is {tuple(before.shape)} there, "
            f"and {tuple(now.shape)} here; give it the properties of the earlier training"
        )
    return before


def _check_names(file: Any, before: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> None:
    for name in sorted(before.keys() ^ now.keys()):
        where = "there" if name in before else "here"
        raise UsageError(
            f"{file} does not fit the model as it is set up now: only {where} is a [{name}]; give it the "
            f"properties of the earlier training"
        )


def _refuse_user_tables(model: nn.Module, n_users: int, known: Known) -> None:
    if 0 <= n_users - known.n_now <= _MOST_MORE:  # as many rows as tables of items have
        return
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and module.num_embeddings == n_users and "position" not in name:
            raise UsageError(
                f"extend_from: {type(model).__name__} learns a vector for each user ({name}), and a "
                f"checkpoint does not say whose they are; train it anew"
            )


def _check_sizes(file: Any, now: Mapping[str, Tensor], n_items: int, config: Any) -> None:
    """Check that no other weight has as many rows as there are items, where their number does not tell."""
    widths = {width * k for weight in now.values() for width in weight.shape[1:] for k in (1, 2, 3, 4)}
    taken = widths | {config["MAX_ITEM_LIST_LENGTH"]}
    if taken & set(range(n_items, n_items + _MOST_MORE + 1)):
        raise UsageError(
            f"extend_from: {file} has as many items as the data, {n_items - 1}, in another order, and about "
            f"that many is also a width of the model, so that its tables of items cannot be told; train anew"
        )
