"""RecBole's sequential data set, in exact time order and with every user's whole history at hand."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.utils import FeatureType
from torch import Tensor

from recbole_popaware.data.atomic import AtomicDataset
from recbole_popaware.data.evaluation import Log
from recbole_popaware.data.history import PlayHistory
from recbole_popaware.data.parts import split_at_borders
from recbole_popaware.data.rows import Rows, WindowFields
from recbole_popaware.data.targets import GradedPlays, GradedTargets
from recbole_popaware.errors import UsageError

logger = getLogger(__name__)


class HistoryDataset(AtomicDataset):
    """Stock's samples, cut on demand from plays that are stored once; differs from stock in what follows.

    * Plays are ordered by user and time before RecBole rounds times to 128 seconds; plays at the same
      time keep the order of the file.
    * Only plays with a positive rating enter histories and training; without a rating all plays do.
    * ``inter_feat`` has one row per target and no list fields. Batches get ``item_id_list`` and the lists
      of ``window_fields``; whoever else reads a list field finds a :class:`~.rows.WindowColumn`.
    * ``split: {GTS: [...]}`` splits at borders in time; see :mod:`.parts`.

    Attributes:
        history: The positive plays of all users, or ``None`` with ``benchmark_filename`` (files split
            beforehand).
        targets: What is to be predicted in each row; only in validation and test parts under GTS.
        training_plays: Plays of each item in the training part, ``[n_items]``; only under GTS.
    """

    history: PlayHistory | None = None
    targets: GradedTargets | None = None
    training_plays: Tensor | None = None
    _ratings: np.ndarray | None = None
    _times: np.ndarray
    _log: Log
    _windows: WindowFields

    def __init__(self, config: Any) -> None:
        self.end_field: str = config["HISTORY_END_FIELD"]
        self.rating_field: str = config["RATING_FIELD"]
        super().__init__(config)

    @property
    def splits_at_borders(self) -> bool:
        """Whether the configuration asks for the global temporal split."""
        return "GTS" in (self.config["eval_args"]["split"] or ())

    def __getitem__(self, index: Any, join: bool = True) -> Any:
        rows = super().__getitem__(index, join)
        if self.history is not None:
            rows.update(Interaction(self._windows.cut(rows, self._served)))
        return rows

    def copy(self, new_inter_feat: Any) -> HistoryDataset:
        """Make a data set of other rows; differs from stock in that list fields stay readable."""
        if self.history is not None:
            new_inter_feat = Rows(new_inter_feat.interaction, self._windows)
        part: HistoryDataset = super().copy(new_inter_feat)
        return part

    def build(self) -> list[HistoryDataset]:
        """Split the rows; differs from stock by GTS."""
        if not self.splits_at_borders:
            parts: list[HistoryDataset] = super().build()
            return parts
        if self.benchmark_filename_list is not None:
            raise UsageError(
                "GTS splits one .inter file, but benchmark_filename names files that are split already"
            )
        self._change_feat_format()
        self._drop_unused_col()
        parts = split_at_borders(self, self._log)
        del self._log
        return parts

    def sort(self, by: str | list[str], ascending: bool | list[bool] = True) -> None:
        """Sort the rows; differs from stock in that times are not rounded."""
        if self.history is None or by != self.time_field or ascending is not True:
            super().sort(by, ascending)
        else:
            order = np.argsort(self._times[self.inter_feat[self.end_field].numpy()], kind="stable")
            self.inter_feat._reindex(torch.from_numpy(order))

    def item_plays(self) -> Tensor:
        """Plays of each item in the training part, ``[n_items]``; a user's first play counts too."""
        if self.training_plays is not None:
            return self.training_plays
        return torch.bincount(self._rows_and_first_plays()[self.iid_field], minlength=self.item_num)

    def inter_matrix(self, form: str = "coo", value_field: str | None = None) -> Any:
        """Sparse user by item matrix of all plays; differs from stock in where it finds first plays."""
        plays = self._rows_and_first_plays()
        return self._create_sparse_matrix(plays, self.uid_field, self.iid_field, form, value_field)

    def row_fields(self, users: Tensor, ends: Tensor) -> dict[str, Tensor]:
        """What says where the histories of rows ``[B]`` end: their length in the window and their end."""
        lengths = (ends - self._windows.history.starts[users]).clamp_(max=self.max_item_list_len)
        return {self.uid_field: users, self.item_list_length_field: lengths, self.end_field: ends}

    def data_augmentation(self) -> None:
        """Make a row of each play that has a history; differs from stock in that no window is cut."""
        self._aug_presets()
        plays = self.inter_feat.interaction
        users = plays[self.uid_field].numpy()
        targets = torch.from_numpy(np.flatnonzero(np.diff(users, prepend=-1) == 0))
        if len(targets) == 0:
            raise UsageError(
                f"data set [{self.dataset_name}]: no user has two plays, so there is nothing to predict"
            )
        items = plays[self.iid_field].numpy()
        self.history = PlayHistory.from_sorted(users, items, self._times, self.user_num)
        self._windows = self._window_fields(self.history, plays)
        rows = {field: column[targets] for field, column in plays.items()}
        rows.update(self.row_fields(rows[self.uid_field], targets))
        self.inter_feat = Rows(rows, self._windows)

    def _window_fields(self, history: PlayHistory, plays: dict[str, Tensor]) -> WindowFields:
        suffix, fields = self.config["LIST_SUFFIX"], [field for field in plays if field != self.uid_field]
        served = dict.fromkeys((self.iid_field, *self.config["window_fields"]))
        if not served.keys() <= set(fields):
            raise UsageError(
                f"window_fields are {self.config['window_fields']}, but the plays of data set "
                f"[{self.dataset_name}] have {', '.join(fields)}"
            )
        self._served = [field + suffix for field in served]
        columns = {field + suffix: plays[field] for field in fields}
        return WindowFields(history, columns, self.max_item_list_len, self.uid_field, self.end_field)

    def _rows_and_first_plays(self) -> Interaction:
        rows: Interaction = self.inter_feat
        if self.history is None:
            return rows
        before = rows[self.end_field] - 1
        first = before == self.history.starts[rows[self.uid_field]]
        columns = {self.uid_field: torch.cat([rows[self.uid_field], rows[self.uid_field][first]])}
        for field in rows:
            values = self._windows.columns.get(field + self.config["LIST_SUFFIX"])
            if values is not None:
                columns[field] = torch.cat([rows[field], values[before[first]]])
        return Interaction(columns)

    def _filter_by_field_value(self) -> None:
        super()._filter_by_field_value()
        if self.rating_field not in self.inter_feat:
            return
        if self.field2type[self.rating_field] != FeatureType.FLOAT:
            raise UsageError(f"data set [{self.dataset_name}]: [{self.rating_field}] must be of type float")
        negative = self.inter_feat[self.rating_field] <= 0
        fate = "are graded targets only"
        if not self.splits_at_borders:
            fate = "are left out, as this split has no graded targets"
            self.inter_feat = self.inter_feat[~negative]
        if negative.any():
            logger.info("%d plays with a rating of 0 or less %s", negative.sum(), fate)

    def _fill_nan(self) -> None:
        frame = self.inter_feat
        if self.benchmark_filename_list is None and self.rating_field in frame:
            # A play without a rating is a play, whatever the mean; and normalising must not change signs.
            self.inter_feat = frame.assign(**{self.rating_field: frame[self.rating_field].fillna(1.0)})
            self._ratings = self.inter_feat[self.rating_field].to_numpy(copy=True)
        super()._fill_nan()

    def _change_feat_format(self) -> None:
        if self.benchmark_filename_list is None:
            self._order_plays()
        super()._change_feat_format()

    def _order_plays(self) -> None:
        frame, ratings = self.inter_feat, self._ratings
        if ratings is None:
            ratings = np.ones(len(frame))
        times = frame[self.time_field].to_numpy()
        order = np.lexsort((times, frame[self.uid_field].to_numpy()))  # ties keep the order of the file
        frame, times, ratings = frame.iloc[order], times[order], ratings[order]
        positive = ratings > 0
        if self.splits_at_borders:
            users, items = (frame[field].to_numpy() for field in (self.uid_field, self.iid_field))
            self._log = Log(GradedPlays(users, items, ratings), times)
        if not positive.all():
            frame, times = frame[positive], times[positive]
        self.inter_feat, self._times, self._ratings = frame, times, None
