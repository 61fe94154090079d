"""Recommend in one call."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from recbole_popaware.recommending.options import EVERYBODY, Options, Users, one_of_both
from recbole_popaware.recommending.parts import write_lists
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.writer import check_output


def recommend(
    checkpoint: str | os.PathLike[str],
    users: Users = EVERYBODY,
    topk: int = 10,
    output: str | os.PathLike[str] | None = None,
    options: Options | None = None,
    *,
    popularity_weight: float = Options.popularity_weight,
    explore_share: float = Options.explore_share,
    exclude_history: bool = Options.exclude_history,
    calibrated: bool | float = Options.calibrated,
    history: str | os.PathLike[str] | None = None,
    shard: str | None = None,
    tool: str | None = None,
    ray_address: str | None = None,
    workers: int | None = None,
    item_file: str | os.PathLike[str] | None = None,
    title_column: str | None = None,
    data_path: str | os.PathLike[str] | None = None,
    device: str | None = None,
    precision: str = Options.precision,
    batch_size: int | None = None,
    show_progress: bool = False,
) -> pd.DataFrame | None:
    """Make ranked lists from each user's latest history.

    Args:
        checkpoint: A file that training has saved; its data set must be where it was.
        users: ``all``, ids, or a file that names users. Those without any plays get what is popular
            lately.
        topk: Length of the lists.
        output: A file ending in ``.parquet``, ``.csv`` or ``.jsonl`` to write to, batch by batch, or a
            folder, which gets a file a part; without one all lists are returned.
        options: All of the following in one object, instead of one by one.
        popularity_weight: W in ``score = model_score + W * popularity_score``.
        explore_share: At least this share of each list, rounded up, are items the user never played.
        exclude_history: Only items the user never played.
        calibrated: Each user's list has the share of such items that the user's own plays have; a number
            above 0 and below 1: at least so much of that share.
        history: Plays that replace those that the model was trained on: an atomic ``.inter`` file, a parquet
            file, or a folder of parquet files.
        shard: ``3/16``: the third of sixteen shares of the lists, for as many processes; needs an output.
        tool: ``ray``: make the parts of a folder in Ray's workers (docs/recommending.md).
        ray_address: With ``ray``: a running cluster; default: Ray is started on this machine.
        workers: With ``ray``: parts made at once; default: as many as there are GPUs, or else CPUs.
        item_file: Titles of items: an atomic ``.item`` file, CSV or parquet with a column ``item_id``.
        title_column: Its column of titles; default: the one whose name says so.
        data_path: Folder of data sets, if it has moved since the training.
        device: ``cpu``, ``cuda`` or ``cuda:N``; default: a GPU where there is one.
        precision: ``float32``, or ``bfloat16``: of the product that finds candidates.
        batch_size: Users scored at once; default: 64 to 256, by the catalogue's size.
        show_progress: Show a progress bar, where standard error is a terminal.

    Returns:
        One row a user and rank with ``user_id``, ``rank``, ``item_id``, ``title`` (with ``item_file``),
        ``score``, ``model_score``, ``popularity_score``, ``plays`` and ``kind``; ``None`` with ``output``.

    Raises:
        UsageError: If a file cannot be read or written, or a value cannot work.
    """
    options = one_of_both(
        options,
        popularity_weight=popularity_weight,
        explore_share=explore_share,
        exclude_history=exclude_history,
        calibrated=calibrated,
        history=history,
        shard=shard,
        tool=tool,
        ray_address=ray_address,
        workers=workers,
        item_file=item_file,
        title_column=title_column,
        data_path=data_path,
        device=device,
        precision=precision,
        batch_size=batch_size,
        show_progress=show_progress,
    )
    options.check_output(None if output is None else Path(output))
    if output is not None:
        of_users = users if isinstance(users, (str, os.PathLike)) else None
        check_output(Path(output), [checkpoint, of_users, options.history, options.item_file])
    recommender = Recommender(checkpoint, topk, options)
    if output is None:
        return recommender.collect(*recommender.select(users)).to_pandas()
    write_lists(recommender, users, Path(output), options)
    return None
