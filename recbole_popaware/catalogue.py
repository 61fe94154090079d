"""What a checkpoint knows of the items, so that lists can be made without the log of the training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recbole_popaware.errors import UsageError

PADDING = "[PAD]"


class Catalogue(NamedTuple):
    """The items by number.

    Attributes:
        names: ``[n_items]`` their ids; the padding first.
        plays: ``[n_items]`` plays of each in the training part.
        popularity: ``[n_items]`` the same, where older plays count less (:mod:`~.plays.fading`).
    """

    names: list[str]
    plays: Tensor
    popularity: Tensor

    def entry(self) -> dict[str, Any] | None:
        """What a checkpoint holds: the ids as one text, a line each, and the plays."""
        if any("\n" in name for name in self.names):  # from a reader of the user's own: no atomic file has it
            return None
        return {
            "item_ids": "\n".join(self.names[1:]),
            "item_plays": self.plays.cpu(),
            "item_popularity": self.popularity.cpu(),
        }

    @classmethod
    def of_checkpoint(cls, checkpoint: Mapping[str, Any], file: Any) -> Catalogue | None:
        """Read the entry of a checkpoint; ``None`` where it has none, as older ones.

        Raises:
            UsageError: If it is not as it was written.
        """
        entry = checkpoint.get("catalogue")
        if entry is None:
            return None
        names, plays = [PADDING, *entry["item_ids"].split("\n")], entry["item_plays"]
        popularity = entry.get("item_popularity", plays.double())
        if numbering(names) != checkpoint.get("item_numbering") or not (
            plays.shape == popularity.shape == (len(names),)
        ):
            raise UsageError(f"checkpoint {file} is damaged: its item ids are not those of the training")
        return cls(names, plays, popularity)


def is_entry(value: Any) -> bool:
    """Whether a value of a checkpoint has the parts of the entry."""
    return value is None or (
        isinstance(value, dict)
        and isinstance(value.get("item_ids"), str)
        and isinstance(value.get("item_plays"), Tensor)
        and value["item_plays"].dtype == torch.int64
        and isinstance(value.get("item_popularity", torch.empty(0)), Tensor)
    )


def numbering(names: Sequence[str]) -> str:
    """A hash of the items' names in the order of their numbers."""
    return hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()
