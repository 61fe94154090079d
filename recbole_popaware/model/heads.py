"""What a head is, and which one the properties of a model ask for."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from recbole_popaware.model.losses import SIGMOID_LOSSES
from recbole_popaware.model.popularity_head import PopularityHead
from recbole_popaware.model.recency_head import DEFAULT_DECAY, DEFAULT_OFFSET, RecencyHead
from recbole_popaware.plays.play_index import PlayIndex, Queries

SWITCHED_OFF = "none"
REPLAY = "replay"  # not one of these heads: see replay_head.py
BY_LOSS = "auto"
HEADS = (BY_LOSS, "softmax", "sigmoid", SWITCHED_OFF, REPLAY)


class Head(Protocol):
    """Scores of items from the plays before a point in a history; any module that offers both ways.

    Both give the same scores, and gradients of the head's own parameters if it has some.
    """

    def candidates(
        self, plays: PlayIndex, queries: Queries, candidates: Tensor, by_row: bool = False
    ) -> Tensor:
        """Scores ``[T, K]`` of items ``[T, K]``, or ``by_row`` of ``[R, K]``, those of each history."""
        ...

    def add_to_(self, scores: Tensor, plays: PlayIndex, queries: Queries) -> Tensor:
        """Add the scores of all items to ``[T, n_items]`` in place, and return that tensor."""
        ...


def make_head(config: Any, n_items: int) -> PopularityHead | None:
    """Make the popularity head that properties ask for; ``None`` where it is switched off.

    Args:
        config: ``popularity_head``, ``loss_type`` and the properties ``pps_*``.
        n_items: Size of the catalogue with the padding id 0.

    Raises:
        ValueError: If a value is out of its range.
    """
    form, learn = config["popularity_head"], tuple(config["pps_learn"])
    decay, offset = config["pps_decay"], config["pps_offset"]
    if form in (SWITCHED_OFF, REPLAY):
        return None
    if form == BY_LOSS:
        form = "sigmoid" if config["loss_type"] in SIGMOID_LOSSES else "softmax"
    if not learn and not decay:
        return PopularityHead(n_items, form, config["pps_epsilon"])
    if decay is None:
        decay = DEFAULT_DECAY if "d" in learn else 0.0
    if offset is None:
        offset = DEFAULT_OFFSET if "c" in learn else 0.0
    return RecencyHead(n_items, form, config["pps_epsilon"], decay, learn, offset)
