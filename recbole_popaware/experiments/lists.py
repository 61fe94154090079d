"""What an experiment keeps of a trained model: its lists for the test users, and who these users are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.quick_start import Trained


@torch.no_grad()
def recommendations(trained: Trained, length: int) -> pd.DataFrame:
    """Rank the catalogue for every row of the test part.

    Args:
        trained: A trained model that has been evaluated, so that its best weights are loaded.
        length: Length of the lists; shorter if the catalogue is.

    Returns:
        Columns user and item (RecBole's numbers), rank (from 1), score, user_id and item_id (original ids).
    """
    data, config = trained.prepared, trained.prepared.config
    length = min(length, data.dataset.item_num - 1)  # item 0 is padding
    trained.trainer.model.eval()
    parts = []
    for batch in data.test_data:
        interaction, scores, _, _ = trained.trainer._full_sort_batch_eval(batch)
        top = top_items(scores, length)
        users = interaction[config["USER_ID_FIELD"]].cpu().numpy()
        parts.append(_as_rows(users, top.cpu().numpy(), scores.gather(1, top).cpu().numpy()))
    lists = pd.concat(parts, ignore_index=True)
    for kind in ("user", "item"):
        names = data.dataset.field2id_token[config[f"{kind.upper()}_ID_FIELD"]]
        lists[f"{kind}_id"] = pd.Categorical.from_codes(lists[kind], categories=names)
    return lists


def _as_rows(users: np.ndarray, items: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Lay out lists ``[B, K]`` as one row an item."""
    n_users, length = items.shape
    rows = pd.DataFrame(
        {
            "user": np.repeat(users, length).astype(np.int32),
            "rank": np.tile(np.arange(1, length + 1, dtype=np.int32), n_users),
            "item": items.ravel().astype(np.int32),
            "score": scores.ravel().astype(np.float32),
        }
    )
    return rows[np.isfinite(rows["score"])]  # hidden items are no recommendations


def describe_users(data: Any) -> pd.DataFrame:
    """Describe the history of every row of the test part.

    Args:
        data: The prepared :class:`~recbole_popaware.quick_start.Prepared`.

    Returns:
        Columns user (original id), history_plays, and repeat_share: the share of the history's plays whose
        item the user had played before.
    """
    part, config = data.test_data.dataset, data.config
    users, ends = (part.inter_feat[config[f]] for f in ("USER_ID_FIELD", "HISTORY_END_FIELD"))
    counts = part.history.counts(users, ends, data.dataset.item_num)
    plays = counts.total(len(users)).numpy()
    items = torch.bincount(counts.rows, minlength=len(users)).numpy()
    names = data.dataset.field2id_token[config["USER_ID_FIELD"]]
    return pd.DataFrame(
        {
            "user": names[users.numpy()],
            "history_plays": plays,
            "repeat_share": 1 - items / np.maximum(plays, 1),
        }
    )
