"""All features of moments: of the items that were played, of the others, and of the listener."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor

from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.replay.moments import Moments, Records, moved
from recbole_popaware.replay.order import order_features
from recbole_popaware.replay.record import faded_count, record_features, user_features
from recbole_popaware.replay.spread import Together, spread

_SMOOTHING = 1e-3
_PRIOR_PLAYS = 10.0


class Fade(NamedTuple):
    """How the count fades that scores start from: ``((age + offset) / (1 + offset)) ** -decay``."""

    decay: float = 1.3
    offset: float = 20.0


class Features(NamedTuple):
    """What is known at Q moments.

    Attributes:
        records: Which items were played, D pairs.
        user: ``[Q, U]`` habits of the listeners.
        faded: ``[D]`` logarithm of the faded count.
        known: ``[D]`` how well the item is known: ``n / (n + 10)`` for n plays by everybody.
        record: ``[D, F]`` features of the record.
        order: ``[D, F]`` features of the order.
        spread: ``[D, S]`` logarithms of what the played items get from the others.
        sums: ``[S, Q, n_items]`` what all items get from the history.
    """

    records: Records
    user: Tensor
    faded: Tensor
    known: Tensor
    record: Tensor
    order: Tensor
    spread: Tensor
    sums: Tensor

    @property
    def items(self) -> Tensor:
        """Item of each pair, ``[D]``."""
        return self.records.items

    def to(self, device: torch.device) -> Features:
        """The same on another device."""
        there: Features = moved(self, device)
        return there


def features_at(
    moments: Moments, store: PlayHistory, together: Together, fade: Fade, n_items: int
) -> Features:
    """Compute features; nothing depends on a play at or after a moment, but what ``together`` knows."""
    records = Records.of(store, moments, n_items)
    sums = spread(records, together)
    own = sums[:, records.rows, records.items].T  # [D, S]
    plays = together.counts.plays[records.items].float()
    return Features(
        records,
        user_features(records, store.timed()[moments.ends - 1]),
        faded_count(records, *fade).log(),
        plays / (plays + _PRIOR_PLAYS),
        record_features(records, store.timed(), together.counts),
        order_features(records, cast("Tensor", store.items)),
        (own + _SMOOTHING).log(),
        sums,
    )


def played_mask(records: Records) -> Tensor:
    """Which items were played, and the padding id: ``[Q, n_items]``."""
    mask = torch.zeros(len(records.starts), records.n_items, dtype=torch.bool, device=records.keys.device)
    mask.view(-1)[records.keys] = True
    mask[:, 0] = True
    return mask
