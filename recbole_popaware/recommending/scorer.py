"""Scores of all items, separated by where they come from; for our models and RecBole's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from recbole.data.interaction import Interaction
from recbole.data.transform import construct_transform
from recbole.model.layers import FeedForward
from torch import Tensor
from torch.nn import functional

from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.plays.ragged import look_up_keys, row_keys
from recbole_popaware.recommending.rough import Exact, RoughTable

_ITEMS_AT_ONCE = 4096  # of models that score one item a row
_ALIGNED = 64  # floats: products are written half as fast to rows that begin anywhere


class Workspace(threading.local):
    """Memory for one matrix of scores, which each thread uses again and again."""

    _memory: Tensor | None = None

    def rows(self, n_rows: int, n_items: int, device: torch.device) -> Tensor:
        """A matrix ``[n_rows, n_items]`` of any values, each row at a round address."""
        width = -(-n_items // _ALIGNED) * _ALIGNED
        if self._memory is None or self._memory.numel() < n_rows * width:
            self._memory = torch.empty(n_rows * width, device=device)
        return self._memory[: n_rows * width].view(n_rows, width)[:, :n_items]


class HeadScores(NamedTuple):
    """A popularity head's scores: one for all that a user never played, others one by one.

    Attributes:
        new: ``[B]`` the score of an item never played.
        played: ``[D]`` those of the items that the rows' users have played, in the order of their counts.
    """

    new: Tensor
    played: Tensor

    @classmethod
    def of(cls, sparse: tuple[Tensor, Tensor, Tensor], counts: ItemCounts) -> HeadScores:
        """Take what :meth:`~recbole_popaware.model.popularity_head.PopularityHead.sparse` returns.

        What a head does not count, such as plays before its window, scores as never played.
        """
        new, at, above = sparse
        played = new[counts.rows]
        return cls(new, played.index_add_(0, torch.searchsorted(counts.keys, at), above))


class Scores(NamedTuple):
    """Two sources of scores.

    Attributes:
        network: ``[B, n_items]`` the network's scores, or all of a model that has no head, PopOnly too.
        head: The head's scores; ``[B, n_items]`` where they are not constant outside the history; ``None``
            without a head.
        exact: The network's scores one by one, where the matrix has rough ones.
    """

    network: Tensor
    head: HeadScores | Tensor | None
    exact: Exact | None = None

    def network_of(self, items: Tensor) -> Tensor:
        """The network's scores of items ``[B, K]``."""
        return self.network.gather(1, items) if self.exact is None else self.exact.of(items)

    def head_of(self, items: Tensor, counts: ItemCounts) -> Tensor | None:
        """The head's scores of items ``[B, K]``."""
        if not isinstance(self.head, HeadScores):
            return None if self.head is None else self.head.gather(1, items)
        keys = row_keys(items, counts.n_items)
        is_played = look_up_keys(keys, counts.keys, torch.ones_like(counts.keys)) > 0
        played = look_up_keys(keys, counts.keys, self.head.played)
        return played.where(is_played, self.head.new.unsqueeze(1))

    def sums(self, counts: ItemCounts, weight: float = 1.0) -> Sums:
        """What ranks items: the network's scores and ``weight`` times the head's."""
        known = counts.rows, counts.items
        if isinstance(self.head, Tensor):
            sums = torch.add(self.network, self.head, alpha=weight)
            return Sums(sums, sums[known])
        played = self.network[known] if self.exact is None else self.exact.pairs(*known)
        if self.head is None:
            return Sums(self.network, played, exact=self.exact)
        played = torch.add(played, self.head.played, alpha=weight)
        return Sums(self.network, played, self.head.new, weight, self.exact)


class Sums(NamedTuple):
    """Scores of all items, of which those of new items lack a constant.

    Attributes:
        catalogue: ``[B, n_items]`` scores of items that the row's user never played, less the constant.
        played: ``[D]`` scores of the others, in the order of their counts.
        constant: ``[B]`` what is to be added to the scores of new items, if anything.
        weight: What it is multiplied by.
        exact: The scores that the catalogue should have, where it has rough ones.
    """

    catalogue: Tensor
    played: Tensor
    constant: Tensor | None = None
    weight: float = 1.0
    exact: Exact | None = None

    def complete(self, values: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Whole scores of new items, given what the catalogue says, ``[R, M]`` for some of the rows."""
        if self.constant is None:
            return values
        return torch.add(values, self.constant[rows].unsqueeze(1), alpha=self.weight)


def score_rows(
    model: Any,
    rows: Any,
    counts: ItemCounts,
    item_feat: Any = None,
    workspace: Workspace | None = None,
    rough: RoughTable | None = None,
) -> Scores:
    """Score all items for rows of RecBole's fields.

    Args:
        model: Any sequential or general model, in evaluation mode.
        rows: An interaction of B rows, on the model's device.
        counts: What the rows' users have played.
        item_feat: Features of all items, for models that score one item a row only.
        workspace: Where a matrix may be; what is returned is then valid until the thread's next call.
        rough: The model's table, where rough scores are to find the candidates; needs a workspace.
    """
    if hasattr(model, "network_scores"):
        sparse = model.sparse_popularity(rows)
        head = model.popularity_scores(rows) if sparse is None else HeadScores.of(sparse, counts)
        if workspace is None or not isinstance(model, PopularityAware):
            return Scores(model.network_scores(rows), head)
        out = workspace.rows(len(rows), model.n_items, model.device)
        if rough is not None:
            exact = rough.scores(model.last_hidden(rows), out)
            return Scores(out, head, exact)
        return Scores(model.network_scores(rows, out), head)
    return Scores(_all_scores(model, rows, item_feat), None)


def shorten_windows(model: Any, rows: Any) -> Any:
    """Cut the windows of rows behind the longest, for a model that gives the same scores then."""
    if getattr(model, "reads_any_length", False):
        longest = int(rows[model.ITEM_SEQ_LEN].max())
        rows.update(Interaction({model.ITEM_SEQ: rows[model.ITEM_SEQ][:, :longest]}))
    return rows


def fuse_activations(model: Any) -> None:
    """Let RecBole's Transformers compute their GELU in one pass instead of five; equal up to rounding."""
    for layer in model.modules():
        if isinstance(layer, FeedForward) and layer.intermediate_act_fn == layer.gelu:
            layer.intermediate_act_fn = functional.gelu


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
    if not hasattr(model, "network_scores"):
        return {"network": _all_scores(model, rows, item_feat)}
    network, head = model.network_scores(rows), model.popularity_scores(rows)
    return {"network": network} if head is None else {"network": network, "head": head}


def _all_scores(model: Any, rows: Any, item_feat: Any) -> Tensor:
    """Scores of all items ``[B, n_items]`` by a model that tells no head's from them."""
    try:
        scores = model.full_sort_predict(rows)
    except NotImplementedError:  # RecBole's trainer asks such models in the same way
        scores = torch.cat([_score_one_by_one(model, rows[[i]], item_feat) for i in range(len(rows))])
    scores = scores.view(len(rows), -1).to(model.device)  # EASE's are on the CPU always
    return scores.contiguous()  # may be one row that stands for all, which cannot be written to


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
