"""Items that go together, from the plays of everybody: K neighbours of each item, and nothing of N squared.

``docs/glossary.md`` lists the shape letters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

SHRINKAGE = 10.0  # listeners added to every item's: rare items have no sure neighbours
REACH = 5  # plays apart that still count as neighbours in order
_AT_ONCE = 1 << 23  # entries of a product
_PLAYS_AT_ONCE = 1 << 21  # whose followers are counted together
FOLLOWED = 5.0  # plays added to every item's: transitions of rare items are weak


class Neighbours(NamedTuple):
    """Neighbours of each item; rows with fewer than K end in item 0 with a weight of 0.

    Attributes:
        items: ``[n_items, K]``.
        weights: ``[n_items, K]``.
    """

    items: Tensor
    weights: Tensor

    def reached(self, items: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What plays of items ``[A]`` with weights ``[A]`` give to others: items and values ``[A, K]``."""
        return self.items[items], self.weights[items] * weights.unsqueeze(1)


def by_listeners(users: Tensor, items: Tensor, n_items: int, k: int) -> Neighbours:
    """Neighbours by shared listeners, ``(U'U)_ij / sqrt((n_i + 10) (n_j + 10))`` with ``n_i`` listeners.

    Args:
        users: ``[P]`` user of each play.
        items: ``[P]`` item of each play.
        n_items: Size of the catalogue with the padding id 0.
        k: K.
    """
    pairs = torch.unique(users * n_items + items).numpy()
    ones = np.ones(len(pairs), dtype=np.float32)
    shape = (int(users.max()) + 1 if len(users) else 1, n_items)
    played = sparse.csr_matrix((ones, (pairs // n_items, pairs % n_items)), shape=shape)
    listeners = np.bincount(pairs % n_items, minlength=n_items)
    scaled = played @ sparse.diags((1 / np.sqrt(listeners + SHRINKAGE)).astype(np.float32))
    return _nearest(sparse.csc_matrix(scaled).T.tocsr(), scaled.tocsr(), k)


def by_order(users: Tensor, items: Tensor, n_items: int, k: int) -> Neighbours:
    """Neighbours that follow within a few plays, 1 / distance each, as shares of all that follow.

    Args:
        users: ``[P]`` user of each play, by user and time.
        items: As above.
        n_items: As above.
        k: As above.
    """
    listeners, played = users.numpy(), items.numpy().astype(np.int32)
    plays = np.bincount(played, minlength=n_items)
    cuts = 1 + np.flatnonzero(np.diff(plays.cumsum() // _PLAYS_AT_ONCE))
    parts = []
    for first, end in zip([0, *cuts], [*cuts, n_items]):
        rows = np.flatnonzero((played >= first) & (played < end))
        parts.append(_followers(listeners, played, rows, (first, end, n_items), k))
    return Neighbours(*(torch.cat(columns) for columns in zip(*parts)))


def _followers(
    users: np.ndarray, played: np.ndarray, rows: np.ndarray, items: tuple[int, int, int], k: int
) -> Neighbours:
    """What follows the plays in some ``rows``: all plays of the items from the first to before the second."""
    first, end, n_items = items
    before, after, weights = [], [], []
    for distance in range(1, REACH + 1):
        within = rows[: np.searchsorted(rows, len(played) - distance)]
        same = within[users[within] == users[within + distance]]
        before.append(played[same] - np.int32(first))
        after.append(played[same + distance])
        weights.append(np.full(len(same), 1 / distance, dtype=np.float32))
    coordinates = np.concatenate(before), np.concatenate(after)
    follows = sparse.csr_matrix((np.concatenate(weights), coordinates), shape=(end - first, n_items))
    followed = np.asarray(follows.sum(1)).ravel()
    scale = sparse.diags((1 / (followed + FOLLOWED)).astype(np.float32))
    return _best(_without_itself(scale @ follows, first), k)


def _nearest(left: sparse.csr_matrix, right: sparse.csr_matrix, k: int, least_rows: int = 64) -> Neighbours:
    """The K greatest of each row of a product, some rows at a time, without its diagonal."""
    parts, rows = [], max(least_rows, _AT_ONCE // right.shape[1])
    for start in range(0, left.shape[0], rows):
        product = left[start : start + rows] @ right
        parts.append(_best(_without_itself(product, start), k))
    return Neighbours(*(torch.cat(columns) for columns in zip(*parts)))


def _without_itself(matrix: sparse.csr_matrix, first_row: int = 0) -> sparse.csr_matrix:
    coordinates = matrix.tocoo()
    others = coordinates.row + first_row != coordinates.col
    kept = (coordinates.data[others], (coordinates.row[others], coordinates.col[others]))
    return sparse.csr_matrix(kept, shape=matrix.shape)


def _best(matrix: sparse.csr_matrix, k: int) -> Neighbours:
    """The K greatest entries of each row; of equal ones those of smaller ids."""
    sizes = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), sizes)
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.arange(len(rows)) - np.repeat(matrix.indptr[:-1], sizes)
    kept = rank < k
    items = np.zeros((matrix.shape[0], k), dtype=np.int64)
    weights = np.zeros((matrix.shape[0], k), dtype=np.float32)
    items[rows[kept], rank[kept]] = matrix.indices[order][kept]
    weights[rows[kept], rank[kept]] = matrix.data[order][kept]
    return Neighbours(torch.from_numpy(items), torch.from_numpy(weights))
