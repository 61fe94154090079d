"""A warm session: a model from a folder, what it knows of users, and lists for them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from logging import getLogger
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recbole_popaware.errors import UsageError
from recbole_popaware.serving.folder import Export, read_export
from recbole_popaware.serving.listener import HeadMemory, Listener

logger = getLogger(__name__)

_DAY = 24 * 3600
Play = tuple[str, float]  # item id, time in seconds


class Recommendation(NamedTuple):
    """An item of a list; docs/recommending.md explains the scores."""

    item_id: str
    score: float
    model_score: float
    popularity_score: float
    plays: int
    kind: str


class Session:
    """Lists from an exported folder; :meth:`load` makes one. Not for several threads at once.

    Attributes:
        manifest: What the folder says of itself.
        item_ids: Ids by number; number 0 is none.
    """

    def __init__(self, export: Export) -> None:
        self.manifest, tensors, ids, self._network = export
        self.item_ids = ["", *ids]
        self._number = {name: number for number, name in enumerate(ids, 1)}
        self._items, self._bias, self._popularity = (
            tensors["items"],
            tensors.get("bias"),
            tensors["popularity"],
        )
        self._memory = HeadMemory.of(self.manifest["head"], tensors, len(ids))
        self._length, self._users = int(self.manifest["window"]), dict[str, Listener]()

    @classmethod
    def load(cls, folder: str | os.PathLike[str], threads: int = 1) -> Session:
        """Load what ``recbole-popaware-export`` wrote.

        Args:
            folder: The folder.
            threads: That the network may use.

        Raises:
            UsageError: If the folder is damaged or of another version, or a package is missing.
        """
        return cls(read_export(Path(folder), threads))

    def update(self, user: str, plays: Iterable[Play]) -> Listener:
        """Take new plays of a user into account, in O(1) each.

        Plays of unknown items, at no moment, in the future, or before what is known of the user are left out
        and counted in the log.

        Args:
            user: Any name; a new one is a new user.
            plays: Item ids and times in seconds, in any order.
        """
        return self._take(self._users.setdefault(user, self.listener()), plays, user)

    def listener(self, plays: Iterable[Play] = ()) -> Listener:
        """A user whom the session does not keep."""
        return self._take(Listener(self._length, self._memory), plays, "a history")

    def forget(self, user: str) -> None:
        """Drop what is known of a user."""
        self._users.pop(user, None)

    def recommend(
        self,
        histories: Sequence[str | Listener | Iterable[Play]],
        k: int = 10,
        *,
        popularity_weight: float = 1.0,
        explore_share: float = 0.0,
        exclude_history: bool = False,
    ) -> list[list[Recommendation]]:
        """Make lists of the k best items; options as :func:`recbole_popaware.recommend` has them.

        Args:
            histories: For each list a user of :meth:`update`, or plays. Without plays it is of popular items.
            k: Length of the lists.
            popularity_weight: Of the head's scores.
            explore_share: At least this share of each list, rounded up, are items never played.
            exclude_history: Only items never played.

        Raises:
            UsageError: If a value is out of its range.
        """
        if not 1 <= k < len(self.item_ids):
            raise UsageError(
                f"k is [{k}], but must be from 1 to {len(self.item_ids) - 1}, the items there are"
            )
        if not (0 <= explore_share <= 1 and np.isfinite(popularity_weight)):
            raise UsageError(
                f"explore_share [{explore_share}] must be from 0 to 1, and popularity_weight "
                f"[{popularity_weight}] a number"
            )
        nobody = Listener(self._length, self._memory)
        listeners = [
            self._users.get(h, nobody)
            if isinstance(h, str)
            else h
            if isinstance(h, Listener)
            else self.listener(h)
            for h in histories
        ]
        scores = iter(self._network_scores([listener for listener in listeners if listener.plays]))
        least_new = k if exclude_history else int(np.ceil(round(explore_share * k, 9)))
        return [
            self._list(next(scores), listener, k, popularity_weight, least_new, exclude_history)
            if listener.plays
            else self._popular_list(k)
            for listener in listeners
        ]

    def _network_scores(self, listeners: list[Listener]) -> np.ndarray:
        """The network's scores of all items, ``[B, n_items]``."""
        if not listeners:
            return np.empty((0, len(self.item_ids)), dtype=np.float32)
        lengths = np.array([len(listener.window) for listener in listeners])
        windows = np.zeros((len(listeners), lengths.max()), dtype=np.int64)
        for row, listener in zip(windows, listeners):
            row[: len(listener.window)] = listener.window
        hidden = self._network.run(None, {"windows": windows, "lengths": lengths})[0]
        scores: np.ndarray = hidden @ self._items.T
        return scores if self._bias is None else scores + self._bias

    def _list(
        self, network: np.ndarray, listener: Listener, k: int, weight: float, least_new: int, only_new: bool
    ) -> list[Recommendation]:
        played = np.fromiter(listener.plays, dtype=np.int64, count=len(listener.plays))
        counted, head_scores, unplayed = listener.head()
        head = dict(zip(counted.tolist(), head_scores.tolist()))
        sums = network + weight * unplayed
        sums[played] = network[played] + weight * np.array(
            [head.get(item, unplayed) for item in played.tolist()]
        )
        own, sums[played], sums[0] = sums[played], -np.inf, -np.inf
        new = _best(sums, k)
        known = played[:0] if only_new else played[np.lexsort((played, -own))[:k]]
        sums[played] = own
        ranked = _sorted(sums, np.concatenate([new, known]))
        n_new = max(int(np.isin(ranked[:k], new).sum()), min(least_new, len(new)), k - len(known))
        chosen = _sorted(sums, np.concatenate([new[:n_new], known[: k - min(n_new, len(new))]]))
        return [
            Recommendation(
                self.item_ids[item],
                float(sums[item]),
                float(network[item]),
                head.get(item, unplayed),
                listener.plays.get(item, 0),
                "repeat" if item in listener.plays else "explore",
            )
            for item in chosen.tolist()
        ]

    def _popular_list(self, k: int) -> list[Recommendation]:
        scores = self._popularity.copy()
        scores[0] = -np.inf
        nothing = float("nan")
        return [
            Recommendation(self.item_ids[item], float(scores[item]), nothing, nothing, 0, "popular")
            for item in _best(scores, k).tolist()
        ]

    def _take(self, listener: Listener, plays: Iterable[Play], who: str) -> Listener:
        later, left_out = time.time() + _DAY, 0
        for item, moment in sorted(plays, key=lambda play: play[1]):
            number = self._number.get(item)
            if number is None or not listener.newest <= moment <= later:
                left_out += 1
            else:
                listener.add(number, float(moment))
        if left_out:
            reasons = "of unknown items, before known plays, or later than now"
            logger.warning("%d plays of %s are left out: %s", left_out, who, reasons)
        return listener


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """The k best items, best first, equal scores by number; without those of minus infinity."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    return _sorted(scores, np.flatnonzero((scores >= least) & (scores > -np.inf)))[:k]


def _sorted(scores: np.ndarray, items: np.ndarray) -> np.ndarray:
    ordered: np.ndarray = items[np.lexsort((items, -scores[items]))]
    return ordered
