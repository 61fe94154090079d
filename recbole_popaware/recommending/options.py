"""What a caller may choose about lists; importing it costs nothing."""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from recbole_popaware.errors import UsageError

EVERYBODY = "all"
RAY = "ray"
FLOAT32 = "float32"
PRECISIONS = (FLOAT32, "bfloat16")
Users = Union[str, "os.PathLike[str]", Sequence[str]]
"""``all``, a file that names users, or their ids."""


@dataclass(frozen=True)
class ListRules:
    """Which items are in a list.

    Attributes:
        topk: Length of the lists, from 1 up.
        popularity_weight: W in ``score = model_score + W * popularity_score``.
        explore_share: At least this share of each list, rounded up, are items the user never played.
        exclude_history: Only items the user never played.
        calibrated: Each user's list has the share of such items that the user's own plays have; a number
            above 0 and below 1: at least so much of that share.

    Raises:
        UsageError: If a value is none of these.
    """

    topk: int = 10
    popularity_weight: float = 1.0
    explore_share: float = 0.0
    exclude_history: bool = False
    calibrated: bool | float = False

    def __post_init__(self) -> None:
        if self.topk < 1:
            raise UsageError(f"topk is [{self.topk}], but a list needs at least 1 item")
        if not math.isfinite(self.popularity_weight):
            raise UsageError(f"the popularity weight is [{self.popularity_weight}], but must be a number")
        if not 0 <= self.explore_share <= 1:
            raise UsageError(f"the explore share is [{self.explore_share}], but must lie between 0 and 1")
        if self.calibrated is not False and not 0 < self.calibrated <= 1:
            raise UsageError(
                f"calibrated is [{self.calibrated}], but must be above 0 and at most 1: how much of each "
                f"user's own share of new items the list has"
            )
        if self.calibrated and (self.explore_share or self.exclude_history):
            other = "exclude_history" if self.exclude_history else "an explore_share"
            raise UsageError(
                f"calibrated lists have each user's own share of new items, so {other} contradicts them; "
                f"leave one out"
            )


@dataclass(frozen=True)
class Shard:
    """One of n shares of the work.

    Attributes:
        number: Which one, from 1.
        of: n.

    Raises:
        UsageError: If there is no such share.
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(f"the shard is [{self.number}/{self.of}], but must be from 1/{self.of} up")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/16``.

        Raises:
            UsageError: If it is not of that form.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if not match:
            raise UsageError(f"the shard is [{text}], but must be like 3/16, the third of sixteen")
        return cls(int(match[1]), int(match[2]))

    def indices(self, n: int, size: int) -> np.ndarray:
        """Which of n users are in this shard, of whose batches of a size it has every one in :attr:`of`."""
        index = np.arange(n)
        own: np.ndarray = index[index // size % self.of == self.number - 1]
        return own


@dataclass(frozen=True)
class Options:
    """How to recommend, apart from the users and the length of the lists.

    Attributes:
        popularity_weight: See :class:`ListRules`.
        explore_share: See :class:`ListRules`.
        exclude_history: See :class:`ListRules`.
        calibrated: See :class:`ListRules`.
        history: Plays that replace those that the model was trained on: an atomic ``.inter`` file, a parquet
            file, or a folder of parquet files.
        shard: ``3/16``: the third of sixteen shares of the lists, for as many processes; needs an output.
        item_file: Titles of items: an atomic ``.item`` file, CSV or parquet with a column ``item_id``.
        title_column: Its column of titles; default: the one whose name says so.
        data_path: Folder of data sets, if it has moved since the training.
        tool: ``ray``: make the parts of a folder in Ray's workers; default: in this process.
        ray_address: With ``ray``: a running cluster; default: Ray is started on this machine.
        workers: With ``ray``: parts made at once; default: as many as there are GPUs, or else CPUs.
        device: ``cpu``, ``cuda`` or ``cuda:N``; default: a GPU where there is one.
        precision: ``float32``, or ``bfloat16``: of the product that finds candidates.
        batch_size: Users scored at once by a thread; default: 64 to 256, by the size of the catalogue.
        show_progress: Show a progress bar, where standard error is a terminal.
    """

    popularity_weight: float = ListRules.popularity_weight
    explore_share: float = ListRules.explore_share
    exclude_history: bool = ListRules.exclude_history
    calibrated: bool | float = ListRules.calibrated
    history: str | os.PathLike[str] | None = None
    shard: str | None = None
    item_file: str | os.PathLike[str] | None = None
    title_column: str | None = None
    data_path: str | os.PathLike[str] | None = None
    tool: str | None = None
    ray_address: str | None = None
    workers: int | None = None
    device: str | None = None
    precision: str = FLOAT32
    batch_size: int | None = None
    show_progress: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"the batch size is [{self.batch_size}], but must be at least 1")
        if self.shard is not None:
            Shard.parse(self.shard)
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision is [{self.precision}], but must be one of {', '.join(PRECISIONS)}")
        self._check_tool()
        if self.title_column is not None and self.item_file is None:
            raise UsageError(f"the title column [{self.title_column}] needs an item file that has it")

    def _check_tool(self) -> None:
        if self.tool not in (None, RAY):
            raise UsageError(f"tool is [{self.tool}], but must be {RAY}, or left out")
        if self.tool is None and (self.ray_address, self.workers) != (None, None):
            raise UsageError(f"workers and an address of Ray need tool={RAY}")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers is [{self.workers}], but must be at least 1")
        if self.tool == RAY and self.shard is not None:
            raise UsageError(f"tool={RAY} makes all shards; leave out the shard [{self.shard}]")
        if self.tool == RAY and importlib.util.find_spec("ray") is None:
            raise UsageError(f"tool={RAY} needs ray; docs/tuning.md says how to install it")

    def check_output(self, output: Path | None) -> None:
        """Check that there is a place for a share of the lists, or for parts.

        Raises:
            UsageError: If there is not.
        """
        if output is None and self.shard is not None:
            raise UsageError(
                f"shard {self.shard} of the lists needs an output, a file of its own or a folder"
            )
        if output is None and self.tool == RAY:
            raise UsageError(f"tool={RAY} needs an output, a folder: a name without an ending")

    def rules(self, topk: int) -> ListRules:
        """The rules of lists of a length."""
        return ListRules(
            topk, self.popularity_weight, self.explore_share, self.exclude_history, self.calibrated
        )


def one_of_both(options: Options | None, **keywords: Any) -> Options:
    """Options that were given as an object, or one by one.

    Args:
        options: The object.
        **keywords: Attributes of :class:`Options`.

    Raises:
        UsageError: If both were given, or a value cannot work.
    """
    one_by_one = Options(**keywords)
    if options is None:
        return one_by_one
    if one_by_one != Options():
        raise UsageError("options were given both as an object and as keywords; choose one")
    return options


def existing_file(file: str | os.PathLike[str], what: str) -> Path:
    """Check that a file is there.

    Raises:
        UsageError: If it is not.
    """
    path = Path(file)
    if not os.path.isfile(path):  # noqa: PTH113  # Path.is_file() raises where a name is too long
        raise UsageError(f"{what} {path} is not there, or is no file")
    return path
