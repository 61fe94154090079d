"""The users that lists are made for, and their plays: those of the data set, or those of a new file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recbole_popaware.data.dataset import needs_times
from recbole_popaware.errors import UsageError
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.recommending.play_files import read_plays

logger = getLogger(__name__)

_DAY = 24 * 3600


@dataclass(frozen=True)
class Listeners:
    """Users by number.

    Attributes:
        names: ``[n]`` id of each number; number 0 is nobody.
        everybody: ``[U]`` the numbers of all users, in the order of the data.
    """

    names: np.ndarray
    everybody: np.ndarray

    def numbers(self, users: np.ndarray) -> np.ndarray:
        """Number of each id ``[U]``, 0 where it is not known."""
        numbers: np.ndarray = pd.Index(self.names[1:]).get_indexer(users) + 1
        return numbers


def of_data_set(dataset: Any) -> Listeners:
    """The users that the model was trained on."""
    names = dataset.field2id_token[dataset.uid_field]
    return Listeners(names, np.arange(1, len(names)))


def read_histories(files: Sequence[Path], dataset: Any) -> tuple[PlayHistory, Listeners]:
    """Read new histories; what cannot be used is counted in the log.

    Users keep the numbers they had in training, and new ones get numbers after those. As in training, plays
    with a rating of 0 or less enter no history, and plays at the same time keep the order of the file.

    Args:
        files: An atomic ``.inter`` file, or parquet files, with the user, item and time fields of
            ``dataset``.
        dataset: The data set of the training, which numbers the items.

    Raises:
        UsageError: If the file lacks a column or cannot be read.
    """
    frame = read_plays(files, dataset)
    name = files[0] if len(files) == 1 else files[0].parent
    if not len(frame):
        raise UsageError(f"history {name} holds no plays")
    items = _number_items(frame[dataset.iid_field], dataset.field2id_token[dataset.iid_field])
    names, users = _number_users(frame[dataset.uid_field], dataset)
    everybody = pd.unique(users)
    positive = _positive(frame, dataset)
    reasons = {
        "without a user": users == 0,
        "of items that the model does not know": items == 0,
        "with a rating of 0 or less": ~positive,
        "without a time": frame[dataset.time_field].isna().to_numpy(),
    }
    keep = np.ones(len(frame), dtype=bool)
    for reason, applies in reasons.items():
        left_out = int((keep & applies).sum())
        if left_out:
            logger.warning("%s: %d of %d plays are left out, %s", name, left_out, len(frame), reason)
        keep &= ~applies
    users, items, times = users[keep], items[keep], frame[dataset.time_field].to_numpy()[keep]
    later = int((times > time.time() + _DAY).sum())
    if later:
        logger.warning("%s: %d plays are later than now; are the times in seconds?", name, later)
    if not _in_order(users, times):
        order = np.lexsort((times, users))
        users, items, times = users[order], items[order], times[order]
    history = PlayHistory.from_sorted(users, items, times, len(names), needs_times(dataset.config))
    return history, Listeners(names, everybody[everybody > 0])


def _in_order(users: np.ndarray, times: np.ndarray) -> bool:
    later = np.diff(users)
    return bool(((later > 0) | ((later == 0) & (np.diff(times) >= 0))).all())


def _positive(frame: pd.DataFrame, dataset: Any) -> np.ndarray:
    if dataset.rating_field not in frame:
        return np.ones(len(frame), dtype=bool)
    positive: np.ndarray = ~(frame[dataset.rating_field] <= 0).to_numpy()  # without a rating it is a play
    return positive


def _number_users(column: pd.Series, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    known = dataset.field2id_token[dataset.uid_field]
    tokens = column.cat.categories.to_numpy(dtype=object)
    number = _look_up(tokens, known)
    new = np.flatnonzero(number < 0)
    number[new] = len(known) + np.arange(len(new))
    return np.concatenate([np.asarray(known, dtype=object), tokens[new]]), _by_code(column, number)


def _number_items(column: pd.Series, known: Any) -> np.ndarray:
    """Number of each item ``[P]``, 0 for missing and unknown ones."""
    number = _look_up(column.cat.categories.to_numpy(dtype=object), known)
    return _by_code(column, np.maximum(number, 0))


def _look_up(tokens: np.ndarray, known: Any) -> np.ndarray:
    """Index of each token among those that are known, -1 where it is not."""
    index = pc.index_in(pa.array(tokens, pa.string()), value_set=pa.array(known, pa.string()))
    number: np.ndarray = index.fill_null(-1).to_numpy().astype(np.int64)
    return number


def _by_code(column: pd.Series, number: np.ndarray) -> np.ndarray:
    of_rows: np.ndarray = np.append(number, 0)[column.cat.codes]  # code -1: missing
    return of_rows
