"""Scores of all items, separated by where they come from; for our models and RecBole's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from recbole.data.transform import construct_transform
from torch import Tensor

_ITEMS_AT_ONCE = 4096  # of models that score one item a row


class Scores(NamedTuple):
    """Two sources of scores.

    Attributes:
        network: ``[B, n_items]`` the network's scores, or all of a model that has no head, PopOnly too.
        popularity: ``[B, n_items]`` the head's scores; ``None`` without a head.
    """

    network: Tensor
    popularity: Tensor | None


def score_rows(model: Any, rows: Any, item_feat: Any = None) -> Scores:
    """Score all items for rows of RecBole's fields.

    Args:
        model: Any sequential or general model, in evaluation mode.
        rows: An interaction of B rows, on the model's device.
        item_feat: Features of all items, for models that score one item a row only.
    """
    if hasattr(model, "network_scores"):
        return Scores(model.network_scores(rows), model.popularity_scores(rows))
    try:
        scores = model.full_sort_predict(rows)
    except NotImplementedError:  # RecBole's trainer asks such models in the same way
        scores = torch.cat([_score_one_by_one(model, rows[[i]], item_feat) for i in range(len(rows))])
    return Scores(scores.view(len(rows), -1).to(model.device), None)  # EASE's are on the CPU always


def score_terms(model: Any, rows: Any, item_feat: Any = None) -> dict[str, Tensor]:
    """What each term of a model adds to the scores of all items, by its name, ``[B, n_items]`` each.

    Their sum is the score: the model's own ``term_scores``, or else ``network`` and ``head`` if there is one.

    Args:
        model: As in :func:`score_rows`; so are the others.
        rows: The rows.
        item_feat: Features of all items.
    """
    if hasattr(model, "term_scores"):
        terms: dict[str, Tensor] = model.term_scores(rows)
        return terms
    network, popularity = score_rows(model, rows, item_feat)
    return {"network": network} if popularity is None else {"network": network, "head": popularity}


def _score_one_by_one(model: Any, row: Any, item_feat: Any) -> Tensor:
    """Scores of all items for one row, ``[1, n_items]``."""
    scores = []
    for start in range(0, len(item_feat), _ITEMS_AT_ONCE):
        items = item_feat[start : start + _ITEMS_AT_ONCE]
        repeated = row.repeat_interleave(len(items))
        repeated.update(items.to(model.device))
        scores.append(model.predict(repeated).view(-1))
    return torch.cat(scores).unsqueeze(0)


def inference_transform(config: Any) -> Callable[[Any, Any], Any]:
    """RecBole's ``transform`` of batches, less the masks of training, which no prediction reads."""
    if config["transform"] == "mask_itemseq":
        return lambda dataset, rows: rows
    transform: Callable[[Any, Any], Any] = construct_transform(config)
    return transform
