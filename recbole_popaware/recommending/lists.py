"""Lists of a batch of users, and the table they become."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.recommending.columns import ITEM, TITLE, USER
from recbole_popaware.recommending.scorer import Scores

KINDS = pa.array(["explore", "repeat", "popular"])
_POPULAR = 2


class Lists(NamedTuple):
    """Lists of B users, K items each.

    Attributes:
        items: ``[B, K]`` item at each position, best first.
        score: ``[B, K]`` what ranks them; minus infinity where a list is shorter.
        model_score: ``[B, K]`` the network's part; not a number where there is none.
        popularity_score: ``[B, K]`` the head's part before its weight; likewise.
        plays: ``[B, K]`` how often the user played the item.
        kind: ``[B, K]`` index in ``KINDS``.
    """

    items: Tensor
    score: Tensor
    model_score: Tensor
    popularity_score: Tensor
    plays: Tensor
    kind: Tensor

    @classmethod
    def personal(cls, chosen: tuple[Tensor, Tensor], scores: Scores, counts: ItemCounts) -> Lists:
        """Lists of chosen items and their scores, both ``[B, K]``."""
        items, score = chosen
        plays = counts.of_items(items)
        of_head = scores.head_of(items, counts)
        if of_head is None:
            of_head = torch.full_like(score, torch.nan)
        return cls(items, score, scores.network_of(items), of_head, plays, (plays > 0).long())

    @classmethod
    def popular(cls, items: Tensor, score: Tensor) -> Lists:
        """The one list ``[1, K]`` of those of whom nothing is known."""
        nothing = torch.full_like(score, torch.nan)
        kind = torch.full_like(items, _POPULAR)
        return cls(items, score, nothing, nothing, torch.zeros_like(items), kind)

    def of_rows(self, where: Tensor, others: Lists) -> Lists:
        """B lists: these, in their order, where ``where`` ``[B]`` is true, else the one of ``others``."""
        merged = []
        for mine, theirs in zip(self, others):
            column = theirs.expand(len(where), -1).clone()
            column[where] = mine.to(column)
            merged.append(column)
        return Lists(*merged)


def schema(titled: bool) -> pa.Schema:
    """Columns of the table of lists."""
    title = {TITLE: pa.string()} if titled else {}
    columns = {USER: pa.string(), "rank": pa.int32(), ITEM: pa.string(), **title}
    columns.update(dict.fromkeys(("score", "model_score", "popularity_score"), pa.float32()))
    return pa.schema(list({**columns, "plays": pa.int32(), "kind": pa.string()}.items()))


def to_table(users: np.ndarray, lists: Lists, names: pa.Array, titles: pa.Array | None) -> pa.Table:
    """Write lists out, one row an item.

    Args:
        users: ``[B]`` ids.
        lists: Lists of B users, on the CPU.
        names: ``[n_items]`` ids of the items.
        titles: ``[n_items]`` their titles, if they are wanted.
    """
    filled = (lists.score > -torch.inf).numpy()
    row, column = np.nonzero(filled)
    items = pa.array(lists.items.numpy()[filled])
    columns = [pa.array(users, pa.string()).take(pa.array(row)), column + 1, names.take(items)]
    if titles is not None:
        columns.append(titles.take(items))
    for part in (lists.score, lists.model_score, lists.popularity_score):
        columns.append(pa.array(part.numpy()[filled], pa.float32(), from_pandas=True))  # NaN becomes empty
    columns += [lists.plays.numpy()[filled], KINDS.take(pa.array(lists.kind.numpy()[filled]))]
    wanted = schema(titles is not None)
    typed = [c if isinstance(c, pa.Array) else pa.array(c, t) for c, t in zip(columns, wanted.types)]
    return pa.table(typed, schema=wanted)
