"""What models without a network share that know all users of the training part: their sparse profiles.

A profile is a vector with a weight for each item. ``docs/glossary.md`` lists the shape letters; U are the
users with plays in the training part.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from recbole_popaware.errors import UsageError
from recbole_popaware.model.sequential_recommender.mostpop import MostPop
from recbole_popaware.plays.history import PlayHistory


class Entries(NamedTuple):
    """Weights of items in the profiles of some rows; those of one item in one row add up.

    Attributes:
        rows: ``[E]``.
        items: ``[E]``.
        weights: ``[E]``.
    """

    rows: Tensor
    items: Tensor
    weights: Tensor

    def dense(self, n_rows: int, n_items: int) -> Tensor:
        """The profiles, ``[n_rows, n_items]`` in float32."""
        profiles = torch.zeros(n_rows, n_items, device=self.weights.device)
        return profiles.index_put_((self.rows, self.items), self.weights.float(), accumulate=True)


class Profiles(nn.Module):
    """Profiles of U users as a sparse matrix, made anew from the data instead of stored in checkpoints.

    Args:
        entries: Their weights; rows are the users' indices.
        n_users: U.
        n_items: Size of the catalogue with the padding id 0.
    """

    by_user: Tensor
    by_item: Tensor

    def __init__(self, entries: Entries, n_users: int, n_items: int) -> None:
        super().__init__()
        index, weights = torch.stack([entries.rows, entries.items]), entries.weights.double()
        matrix = torch.sparse_coo_tensor(index, weights, (n_users, n_items), check_invariants=True)
        matrix = matrix.coalesce().float()  # now that what belongs together is summed
        self.register_buffer("by_user", matrix, persistent=False)
        self.register_buffer("by_item", matrix.t().coalesce(), persistent=False)

    def products(self, vectors: Tensor) -> Tensor:
        """Scalar product of vectors ``[B, n_items]`` with every profile, ``[B, U]``."""
        return torch.sparse.mm(self.by_user, vectors.t()).t()

    def sums(self, weights: Tensor) -> Tensor:
        """Sums of the profiles with weights ``[B, U]``, ``[B, n_items]``."""
        return torch.sparse.mm(self.by_item, weights.t()).t()

    def squared(self) -> Tensor:
        """Sum of the squared weights of each profile, ``[U]``."""
        squares = self.by_user.values().double() ** 2
        users = self.by_user.indices()[0]
        return squares.new_zeros(self.by_user.size(0)).index_add_(0, users, squares).float()


class NeighbourModel(MostPop):
    """Scores from the row's history and from the training plays of users; nothing is learned.

    Plays at or after a row's target count nowhere: a row's own profile ends before it, and those of others
    end with the training part.

    Attributes:
        history: The plays of all users.
        neighbours: ``[U]`` the users with plays in the training part, in ascending order.
    """

    neighbours: Tensor

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        if dataset.history is None:
            raise UsageError(
                f"{type(self).__name__} needs whole histories, which files split beforehand "
                f"(benchmark_filename) do not hold; give it one .inter file"
            )
        self.history: PlayHistory = dataset.history
        self.END = config["HISTORY_END_FIELD"]
        ends = dataset.training_ends()
        users = torch.nonzero(ends > self.history.starts[:-1]).squeeze(1)
        self.register_buffer("neighbours", users, persistent=False)
        self._neighbours_ends = ends[users]

    def histories(self, interaction: Any) -> tuple[Tensor, Tensor]:
        """Users and ends of a batch's rows, ``[B]`` each, with the plays on their device."""
        users, ends = interaction[self.USER_ID], interaction[self.END]
        self.history = self.history.to(users.device)  # moves it once only
        return users, ends

    @property
    def times(self) -> Tensor:
        """Time of each play, ``[P]``; there for models with ``decay_hours``."""
        return cast("Tensor", self.history.times)

    def profiles(self, entries: Entries) -> Profiles:
        """Profiles of :attr:`neighbours` from their entries."""
        return Profiles(entries, len(self.neighbours), self.n_items)

    def is_oneself(self, users: Tensor) -> Tensor:
        """Which neighbour each row's user is, ``[B, U]``."""
        return users.unsqueeze(1) == self.neighbours
