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
from recbole_popaware.serving.listener import Head, Listener

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
        self._items, self._bias, self._popular = tensors["items"], tensors.get("bias"), tensors["popularity"]
        form, limit, hours = (self.manifest["head"][name] for name in ("form", "limit", "hours"))
        scale, rates, weights = (tensors[name] for name in ("scale", "rates", "weights"))
        self._head = Head(form, limit, hours, scale, rates, weights, len(ids))
        self._length, self._users = int(self.manifest["window"]), dict[str, Listener]()

    @classmethod
    def load(cls, folder: str | os.PathLike[str], threads: int = 1) -> Session:
        """Load what ``recbole-popaware-export`` wrote, with so many threads for the network.

        Raises:
            UsageError: If the folder is damaged or of another version, or a package is missing.
        """
        return cls(read_export(Path(folder), threads))

    def update(self, user: str, plays: Iterable[Play]) -> Listener:
        """Take new plays of a user into account, in any order and in O(1) each.

        Plays of unknown items, at no moment, in the future, or before what is known of the user are left out
        and counted in the log. A new name is a new user.
        """
        return self._take(self._users.setdefault(user, self.listener()), plays, user)

    def listener(self, plays: Iterable[Play] = ()) -> Listener:
        """A user whom the session does not keep."""
        return self._take(Listener(self._length, self._head), plays, "a history")

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
            histories: For each list a user of :meth:`update`, or plays. Without any it is of popular items.
            k: Length of the lists.
            popularity_weight: Of the head's scores.
            explore_share: At least this share of each list, rounded up, are items never played.
            exclude_history: Only items never played.

        Raises:
            UsageError: If a value is out of its range.
        """
        n = len(self.item_ids) - 1
        if not (1 <= k <= n and 0 <= explore_share <= 1 and np.isfinite(popularity_weight)):
            raise UsageError(
                f"k [{k}] must be from 1 to {n}, the items there are, explore_share [{explore_share}] from 0 "
                f"to 1, and popularity_weight [{popularity_weight}] a number"
            )
        listeners = [self._find(history) for history in histories]
        scores = iter(self._network_scores([listener for listener in listeners if listener.plays]))
        least_new = k if exclude_history else int(np.ceil(round(explore_share * k, 9)))
        return [
            self._list(next(scores), listener, k, popularity_weight, least_new, exclude_history)
            if listener.plays
            else self._popular_list(k)
            for listener in listeners
        ]

    def _find(self, history: str | Listener | Iterable[Play]) -> Listener:
        if isinstance(history, str):
            return self._users.get(history) or self.listener()
        return history if isinstance(history, Listener) else self.listener(history)

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
        head, unplayed = listener.scores()
        played, sums = np.array(list(listener.plays)), network + weight * unplayed
        own = network[played] + weight * np.array([head.get(item, unplayed) for item in listener.plays])
        sums[played] = sums[0] = -np.inf
        new = _best(sums, k)
        sums[played] = own
        known = played[:0] if only_new else _sorted(sums, played)[:k]
        of_both = _sorted(sums, np.concatenate([new, known]))[:k]
        n_new = min(max(np.isin(of_both, new).sum(), least_new, k - len(known)), len(new))
        return [
            Recommendation(
                self.item_ids[item],
                float(sums[item]),
                float(network[item]),
                head.get(item, unplayed),
                listener.plays.get(item, 0),
                "repeat" if item in listener.plays else "explore",
            )
            for item in _sorted(sums, np.concatenate([new[:n_new], known[: k - n_new]])).tolist()
        ]

    def _popular_list(self, k: int) -> list[Recommendation]:
        scores, nothing = self._popular.copy(), float("nan")
        scores[0] = -np.inf
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
