"""RecBole's sequential data set with its plays in exact time order."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import numpy as np

from recbole_popaware.data.mapped import MappedDataset
from recbole_popaware.data.protocol import splits_at_borders
from recbole_popaware.plays.ordered import PlayLog, exact_order

logger = getLogger(__name__)


class OrderedDataset(MappedDataset):
    """A log whose plays keep their exact times and ratings; differs from stock in what follows.

    * Plays are ordered by user and time before RecBole rounds times to 128 seconds; plays at the same
      time keep the order of the file.
    * Only plays with a positive rating become rows; under GTS the others are graded targets. Without a
      rating all plays are positive.

    Attributes:
        plays: All plays, in the order of ``inter_feat``. They are set once ids are numbers and nothing is
            missing, before columns are normalised, and ``None`` again once rows are made of them; always
            ``None`` with ``benchmark_filename`` (files split beforehand).
    """

    plays: PlayLog | None = None

    def __init__(self, config: Any) -> None:
        self.rating_field: str = config["RATING_FIELD"]
        super().__init__(config)

    @property
    def splits_at_borders(self) -> bool:
        """Whether the configuration asks for the global temporal split."""
        return splits_at_borders(self.config)

    def _filter_by_field_value(self) -> None:
        super()._filter_by_field_value()
        if self.rating_field not in self.inter_feat:
            return
        negative = self.inter_feat[self.rating_field] <= 0
        if not negative.any():
            return
        self._note_negative(negative.sum())
        if not self.splits_at_borders:
            self.inter_feat = self.inter_feat[~negative]

    def _fill_nan(self) -> None:
        frame, rating = self.inter_feat, self.rating_field
        if self.benchmark_filename_list is not None:
            super()._fill_nan()
            return
        if rating in frame:  # a play without a rating is a play, whatever the mean
            self.inter_feat = frame.assign(**{rating: frame[rating].fillna(1.0)})
        super()._fill_nan()
        self._order_plays()

    def _order_plays(self) -> None:
        """Put the rows in order, before normalising changes times and the signs of ratings."""
        frame = self.inter_feat
        frame = frame.take(exact_order(frame[self.uid_field].to_numpy(), frame[self.time_field].to_numpy()))
        users, items, times = (
            frame[field].to_numpy() for field in (self.uid_field, self.iid_field, self.time_field)
        )
        ratings = frame[self.rating_field].to_numpy() if self.rating_field in frame else None
        starts = np.searchsorted(users, np.arange(self.user_num + 1))
        self.inter_feat, self.plays = frame, PlayLog(starts, items, times, ratings)

    def _change_feat_format(self) -> None:
        log = self.plays
        if log is not None and log.ratings is not None and not log.all_positive and not self.is_mapped:
            self.inter_feat = self.inter_feat[log.ratings > 0]
        super()._change_feat_format()

    def _grouped_index(self, group_by_list: np.ndarray) -> list[np.ndarray]:
        # Stock's groups, by first appearance, without its loop over rows.
        _, first, group = np.unique(group_by_list, return_index=True, return_inverse=True)
        order = np.argsort(first[group], kind="stable")
        sizes = np.bincount(group)[np.argsort(first)]
        return np.split(order, np.cumsum(sizes)[:-1])
