"""Lists as text: a table for a few users, and where one user's scores come from."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from recbole_popaware.errors import UsageError
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.columns import ITEM, TITLE
from recbole_popaware.recommending.recommender import Recommender
from recbole_popaware.text_table import text_table


def draw(frame: pd.DataFrame) -> str:
    """Lay out a table; numbers to the right, scores with four digits, missing values as ``-``."""
    align = "".join("r" if pd.api.types.is_numeric_dtype(kind) else "l" for kind in frame.dtypes)
    rows = ([_text(value) for value in row] for row in frame.itertuples(index=False))
    return text_table(list(frame.columns), rows, align, ruled=True)


def explain(recommender: Recommender, user: str, n_plays: int = 10) -> str:
    """Show what a user played most, and what each term of the model adds to the scores of the list's items.

    Raises:
        UsageError: If the user is not known.
    """
    ids, numbers = recommender.select([user])
    if not numbers[0]:
        raise UsageError(f"user [{user}] is not in the data, so there is nothing to explain")
    (table,) = recommender.tables(ids, numbers)
    frame = table.to_pandas()
    about = frame[["rank", ITEM, *([TITLE] if TITLE in frame else []), "kind", "plays"]]
    if not recommender.have_plays(numbers)[0]:
        listed = draw(about.assign(score=frame.score))
        return f"{user} has no plays that the model knows, and gets the popular items\n\n{listed}"
    terms, played = recommender.terms(torch.from_numpy(numbers))
    listed_items = pc.index_in(table[ITEM], value_set=recommender.names).to_numpy()
    parts = {name: scores[0].cpu().numpy()[listed_items] for name, scores in terms.items()}
    total, distinct = int(played.plays.sum()), len(played.keys)
    lines = [f"{user}: {total} plays of {distinct} items; the most played ones:", ""]
    most = torch.argsort(played.plays, descending=True, stable=True)[:n_plays].cpu()
    items = recommender.names.take(pa.array(played.items.cpu()[most].numpy()))
    lines.append(draw(pd.DataFrame({ITEM: items.to_pylist(), "plays": played.plays.cpu()[most].numpy()})))
    lines += ["", f"the {len(frame)} items recommended:", ""]
    lines += [draw(about.assign(**parts, score=frame.score)), ""]
    return "\n".join([*lines, _footnote(terms, played, recommender.rules.popularity_weight)])


def _footnote(terms: dict[str, Tensor], played: ItemCounts, weight: float) -> str:
    if set(terms) == {"network"}:
        return "this model has no popularity head: its own score is all there is"
    total = f"score = {' + '.join(terms)}"
    if "head" not in terms:
        return (
            f"{total}; the faded count with what corrects it is for items played before, new for the others"
        )
    note = total if weight == 1 else f"{total} (times {weight:g})"
    unplayed = torch.ones(terms["head"].size(1), dtype=torch.bool, device=terms["head"].device)
    unplayed[0] = unplayed[played.items] = False
    if unplayed.any():
        note += f"; the head gives {terms['head'][0, unplayed][0]:.4f} to an item never played"
    return note


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4f}"
    return "-" if value is None else str(value)
