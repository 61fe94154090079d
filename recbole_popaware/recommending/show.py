"""Lists as text: a table for a few users, and where one user's scores come from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.columns import ITEM, TITLE, USER
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.text_table import text_table

_PARTS = {"model_score": "network", "popularity_score": "head", "score": "score"}


def draw(frame: pd.DataFrame) -> str:
    """Lay out a table; numbers to the right, scores with four digits, missing values as ``-``."""
    align = "".join("r" if pd.api.types.is_numeric_dtype(kind) else "l" for kind in frame.dtypes)
    rows = ([_text(value) for value in row] for row in frame.itertuples(index=False))
    return text_table(list(frame.columns), rows, align, ruled=True)


def explain(recommender: Recommender, user: str, n_plays: int = 10) -> str:
    """Show what a user played most, and for each item of the list what network and head add to its score.

    Raises:
        UsageError: If the user is not known.
    """
    ids, numbers = recommender.select([user])
    if not numbers[0]:
        raise UsageError(f"user [{user}] is not in the data, so there is nothing to explain")
    (table,) = recommender.tables(ids, numbers)
    frame = table.to_pandas().drop(columns=USER)
    order = ["rank", ITEM, *([TITLE] if TITLE in frame else []), "kind", "plays", *_PARTS]
    frame = frame[order].rename(columns=_PARTS)
    if not recommender.have_plays(numbers)[0]:
        return "\n".join(
            [f"{user} has no plays that the model knows, and gets the popular items", "", draw(frame)]
        )
    scores, played = recommender.score(torch.from_numpy(numbers))
    weight = recommender.rules.popularity_weight
    frame["head"] *= np.float32(weight)
    total, distinct = int(played.plays.sum()), len(played.keys)
    lines = [f"{user}: {total} plays of {distinct} items; the most played ones:", ""]
    most = torch.argsort(played.plays, descending=True, stable=True)[:n_plays].cpu()
    items = recommender.names.take(pa.array(played.items.cpu()[most].numpy()))
    lines.append(draw(pd.DataFrame({ITEM: items.to_pylist(), "plays": played.plays.cpu()[most].numpy()})))
    lines += ["", f"the {len(frame)} items recommended:", "", draw(frame), ""]
    return "\n".join([*lines, _footnote(scores.popularity, played, weight)])


def _footnote(popularity: Any, played: Any, weight: float) -> str:
    if popularity is None:
        return "this model has no popularity head: its own score is all there is"
    times = "" if weight == 1 else f" (times {weight:g})"
    unplayed = torch.ones(popularity.size(1), dtype=torch.bool, device=popularity.device)
    unplayed[0] = unplayed[played.items] = False
    note = f"score = network + head{times}"
    if unplayed.any():
        note += f"; the head gives {weight * popularity[0, unplayed][0]:.4f} to an item never played"
    return note


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4f}"
    return "-" if value is None else str(value)
