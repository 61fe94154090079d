"""Recommend in one call."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from recbole_popaware.recommending.options import EVERYBODY, Options, Users
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.recommending.writer import check_output, write


def recommend(
    checkpoint: str | os.PathLike[str],
    users: Users = EVERYBODY,
    topk: int = 10,
    output: str | os.PathLike[str] | None = None,
    options: Options | None = None,
) -> pd.DataFrame | None:
    """Make ranked lists from each user's latest history.

    Args:
        checkpoint: A file that training has saved; its data set must be where it was.
        users: ``all``, ids, or a file that names users. Those without any plays get the globally popular
            items.
        topk: Length of the lists.
        output: A file ending in ``.parquet``, ``.csv`` or ``.jsonl`` to write to, batch by batch; without
            one all lists are returned.
        options: All else, such as ``Options(explore_share=0.3)``.

    Returns:
        One row a user and rank with ``user_id``, ``rank``, ``item_id``, ``score``, ``model_score``,
        ``popularity_score``, ``plays`` and ``kind``; ``None`` with ``output``.

    Raises:
        UsageError: If a file cannot be read or written, or a value cannot work.
    """
    options = options or Options()
    if output is not None:
        of_users = users if isinstance(users, (str, os.PathLike)) else None
        check_output(Path(output), [checkpoint, of_users, options.history, options.item_file])
    recommender = Recommender(checkpoint, topk, options)
    ids, numbers = recommender.select(users)
    if output is None:
        return recommender.collect(ids, numbers).to_pandas()
    write(Path(output), recommender.schema, recommender.tables(ids, numbers))
    return None
