"""RecBole's sequential data set with every user's whole history at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.utils import set_color
from torch import Tensor

from recbole_popaware.data.groups import read_groups
from recbole_popaware.data.ordered import OrderedDataset
from recbole_popaware.data.parts import split_at_borders
from recbole_popaware.data.protocol import LEAVE_OUT, leaves_out
from recbole_popaware.data.rows import FieldNames, Rows, WindowFields
from recbole_popaware.data.summary import summarize
from recbole_popaware.data.targets import GradedTargets
from recbole_popaware.errors import UsageError
from recbole_popaware.plays.columns import Ranges, column_of, count_items
from recbole_popaware.plays.fading import faded_plays
from recbole_popaware.plays.history import PlayHistory


def needs_times(config: Any) -> bool:
    """Whether a model asks for the times of plays (``pps_age: hours``, ``decay_hours``, PopOnly)."""
    asked = config["popularity_head"] == "replay" or config["pps_age"] == "hours"
    return bool(asked or config["decay_hours"] or config["train_targets"] == "requests")


class HistoryDataset(OrderedDataset):
    """Stock's samples, cut on demand from plays that are stored once; differs from stock in what follows.

    * ``inter_feat`` has one row per target and no list fields. Batches get ``item_id_list`` and the lists
      of ``window_fields``, and of the model's ``selected_features`` if plays have them; whoever else reads a
      list field gets a :class:`~.rows.WindowColumn`.
    * ``split: {GTS: [...]}`` splits at borders in time; see :mod:`.parts`.

    The life of one: files are read (:mod:`.atomic`); plays are put in order (:mod:`.ordered`); :meth:`build`
    makes the store of histories and a row of each target (:mod:`.rows`), and splits the rows. The parts share
    the store.

    Attributes:
        history: The positive plays of all users, or ``None`` with ``benchmark_filename`` (files split
            beforehand).
        targets: What is to be predicted in each row; only in validation and test parts under GTS.
        training_plays: Plays of each item in the training part, ``[n_items]``; only under GTS.
        counted_until: Position behind each user's last play of those, ``[n_users]``; only under GTS.
        trained_until: Position behind each user's last play that may be trained on, ``[n_users]``; likewise.
    """

    history: PlayHistory | None = None
    targets: GradedTargets | None = None
    training_plays: Tensor | None = None
    counted_until: Tensor | None = None
    trained_until: Tensor | None = None
    _windows: WindowFields

    def __init__(self, config: Any) -> None:
        self.end_field: str = config["HISTORY_END_FIELD"]
        super().__init__(config)

    def __str__(self) -> str:
        """Users, items and plays; of the positive plays only, once histories are built."""
        facts = {**self._summary(), "Remain Fields": list(self.field2type)}
        lines = [f"{set_color(what, 'blue')}: {value}" for what, value in facts.items()]
        return "\n".join([set_color(self.dataset_name, "pink"), *lines])

    def _summary(self) -> dict[str, Any]:
        if self.history is not None:
            starts, items = self.history.starts, self.history.items
        elif self.plays is not None:
            starts = torch.tensor(self.plays.starts)
            items = column_of(self.plays.items, torch.int64)
        else:
            users, items = (torch.from_numpy(self.inter_feat[field].to_numpy()) for field in self._pair)
            return summarize(torch.bincount(users), torch.bincount(items))
        return summarize(starts.diff(), count_items(items, starts[:-1], starts[1:], self.item_num))

    @property
    def _pair(self) -> tuple[str, str]:
        return self.uid_field, self.iid_field

    def build(self) -> list[HistoryDataset]:
        """Split the rows; differs from stock by GTS, and in what becomes of this data set.

        It is left with the training rows, which takes half the memory, and RecBole's samplers of negatives,
        which count its items, see nothing of the other parts.

        Returns:
            Training, validation and test part.
        """
        if self.splits_at_borders:
            parts = self._build_at_borders()
        elif self.plays is not None and (how := leaves_out(self.config)) is not None:
            parts = self._build_leaving_out(LEAVE_OUT[how])
        else:
            parts = super().build()
        self.inter_feat = parts[0].inter_feat
        return parts

    def _build_at_borders(self) -> list[HistoryDataset]:
        log = self.plays
        if log is None:
            raise UsageError(
                "GTS splits one .inter file, but benchmark_filename names files that are split already"
            )
        self._change_feat_format()
        self._drop_unused_col()
        return split_at_borders(self, log)

    def _build_leaving_out(self, held_out: tuple[bool, bool]) -> list[HistoryDataset]:
        """Stock's leave-one-out on ranges of plays; a user's first target is not held out.

        Args:
            held_out: Whether there are validation and test rows.
        """
        self._change_feat_format()
        self._drop_unused_col()
        ranges, n_parts = self._by_first_target(self.inter_feat.ranges), sum(held_out)
        n_held_out = (ranges.ends - ranges.first - 1).clamp(max=n_parts)
        trained_until = ranges.ends - n_held_out
        parts = [self._part(Ranges.of(ranges.users, ranges.first, trained_until))]
        for behind in range(n_parts, 0, -1):  # of a user with one such row, it is the last part's
            rows = torch.nonzero(n_held_out >= behind).squeeze(1)
            first = ranges.ends[rows] - behind
            parts.append(self._part(Ranges.of(ranges.users[rows], first, first + 1)))
        for index, used in enumerate(held_out, 1):
            if not used:
                nothing = ranges.users[:0]
                parts.insert(index, self._part(Ranges.of(nothing, nothing, nothing)))
        return parts

    def _by_first_target(self, ranges: Ranges) -> Ranges:
        """Stock's order of users, that of their first rows among the rows in order of time."""
        times = cast("PlayHistory", self.history).recency[ranges.first].numpy()
        order = torch.from_numpy(np.argsort(times, kind="stable"))
        return Ranges.of(ranges.users[order], ranges.first[order], ranges.ends[order])

    def _part(self, ranges: Ranges) -> HistoryDataset:
        """The part whose rows are some ranges of plays."""
        suffix, columns = self.config["LIST_SUFFIX"], self._windows.columns
        plays = {field: columns[field + suffix] for field in self.inter_feat if field + suffix in columns}
        return self.copy(Rows.of_ranges(ranges, (self.uid_field, self.end_field), plays))

    def training_part(self, trained_until: Tensor) -> HistoryDataset:
        """The part of the rows whose targets are before a position of each user, ``[n_users]``."""
        starts = cast("PlayHistory", self.history).starts
        return self._part(Ranges.of(torch.arange(self.user_num), starts[:-1] + 1, trained_until))

    def data_augmentation(self) -> None:
        """Make a row of each play that has a history; differs from stock in that no window is cut."""
        log, self.plays = self.plays, None
        if log is None:  # files split beforehand have their rows
            return
        self._aug_presets()
        log = log.positive_part
        starts, times = torch.tensor(log.starts), column_of(log.times, torch.float64)
        plays, users = dict(self.inter_feat.interaction), torch.arange(self.user_num)
        targets = Ranges.of(users, starts[:-1] + 1, starts[1:])
        if targets.n_rows == 0:
            raise UsageError(
                f"data set [{self.dataset_name}]: no user has two plays, so there is nothing to predict"
            )
        kept_times = times if needs_times(self.config) else None
        self.history = PlayHistory(plays[self.iid_field], times, starts, kept_times)
        self._windows = self._window_fields(self.history, plays)
        self.inter_feat = Rows.of_ranges(targets, (self.uid_field, self.end_field), plays, self._windows)
        self.inter_feat.exact = {self.time_field: log.times}

    def _window_fields(self, history: PlayHistory, plays: dict[str, Any]) -> WindowFields:
        suffix, fields = self.config["LIST_SUFFIX"], [field for field in plays if field != self.uid_field]
        selected = [field for field in self.config["selected_features"] or () if field in fields]
        served = dict.fromkeys((self.iid_field, *self.config["window_fields"], *selected))
        if not served.keys() <= set(fields):
            raise UsageError(
                f"window_fields are {self.config['window_fields']}, but the plays of data set "
                f"[{self.dataset_name}] have {', '.join(fields)}"
            )
        columns = {field + suffix: plays[field] for field in fields}
        names = FieldNames(self.uid_field, self.end_field, self.item_list_length_field)
        served_lists = [self.item_list_length_field, *(field + suffix for field in served)]
        return WindowFields(history, columns, self.max_item_list_len, names, served_lists)

    def copy(self, new_inter_feat: Any) -> HistoryDataset:
        """Make a data set of other rows; differs from stock in that list fields stay readable."""
        if self.history is not None:
            ranges = getattr(new_inter_feat, "ranges", None)
            new_inter_feat = Rows(new_inter_feat.interaction, self._windows, ranges=ranges)
        part: HistoryDataset = super().copy(new_inter_feat)
        return part

    def __getitem__(self, index: Any, join: bool = True) -> Any:
        rows = super().__getitem__(index, join)
        if self.history is not None:
            rows.update(self.windows_of(rows))
        return rows

    def windows_of(self, rows: Any) -> Interaction:
        """The fields about histories that batches hold, for rows with a user and an end."""
        return Interaction(self._windows.cut(rows))

    def target_ranges(self) -> tuple[Tensor, Tensor, Tensor]:
        """Find the targets of each user who has rows.

        Returns:
            Users ``[U]``, and the positions of their first and of their last target, ``[U]`` each.

        Raises:
            UsageError: If a user's rows leave out plays in between, or there are no whole histories.
        """
        if self.history is None:
            raise UsageError(
                "train_targets: all needs whole histories, which files split beforehand "
                "(benchmark_filename) do not hold; say --train_targets=next"
            )
        ranges = self.inter_feat.ranges
        if ranges is not None:
            order = torch.argsort(ranges.users)
            return ranges.users[order], ranges.first[order], ranges.ends[order] - 1
        of_row, ends = self.inter_feat[self.uid_field], self.inter_feat[self.end_field]
        last = torch.full((self.user_num,), -1).scatter_reduce_(0, of_row, ends, "amax")
        first = torch.full((self.user_num,), len(self.history.items)).scatter_reduce_(0, of_row, ends, "amin")
        users = torch.nonzero(last >= 0).squeeze(1)
        first, last = first[users], last[users]
        if not torch.equal(last - first + 1, torch.bincount(of_row)[users]):
            raise UsageError(
                f"train_targets: all needs training rows without gaps in time, but eval_args are "
                f"{self.config['eval_args']}; say order: TO, or --train_targets=next"
            )
        return users, first, last

    def item_plays(self) -> Tensor:
        """Plays of each item in the training part, ``[n_items]``; a user's first play counts too."""
        if self.training_plays is not None:
            return self.training_plays
        ranges = getattr(self.inter_feat, "ranges", None)
        if self.history is not None and ranges is not None:
            with_first = ranges.first - (ranges.first == self.history.starts[ranges.users] + 1).long()
            return count_items(self.history.items, with_first, ranges.ends, self.item_num)
        return torch.bincount(self._rows_and_first_plays()[self.iid_field], minlength=self.item_num)

    def item_popularity(self) -> Tensor:
        """The same, where older plays count less, ``[n_items]``; all count 1 in files split beforehand."""
        if self.history is None:
            return self.item_plays().double()
        return faded_plays(self.history, self.training_ends(), self.item_num)

    def training_ends(self) -> Tensor:
        """Position behind each user's last play in the training part, ``[n_users]``.

        Training plays are the first ones of a user's history, whatever the split; there are none where this
        is the position of the first play.
        """
        if self.counted_until is not None:
            return self.counted_until
        starts = cast("PlayHistory", self.history).starts[:-1]
        rows, ranges = self.inter_feat, self.inter_feat.ranges
        users, ends = (
            (rows[self.uid_field], rows[self.end_field] + 1)
            if ranges is None
            else (ranges.users, ranges.ends)
        )
        return starts.scatter_reduce(0, users, ends, "amax")

    def trained_plays(self) -> Tensor:
        """Which plays of the store may be trained on, ``[P]``."""
        starts = cast("PlayHistory", self.history).starts
        ends = self.training_ends() if self.trained_until is None else self.trained_until
        sizes = torch.stack([ends - starts[:-1], starts[1:] - ends], 1)
        return torch.tensor([True, False]).repeat(len(sizes)).repeat_interleave(sizes.flatten())

    def item_groups(self) -> tuple[Tensor, ...]:
        """See :func:`~.groups.read_groups`."""
        return read_groups(self)

    def inter_matrix(self, form: str = "coo", value_field: str | None = None) -> Any:
        """Sparse user by item matrix of all plays; differs from stock in where it takes first plays from."""
        plays = self._rows_and_first_plays()
        return self._create_sparse_matrix(plays, self.uid_field, self.iid_field, form, value_field)

    def _rows_and_first_plays(self) -> Interaction:
        rows: Interaction = self.inter_feat
        if self.history is None:
            return rows
        users, before = rows[self.uid_field][:], rows[self.end_field][:] - 1
        first = before == self.history.starts[users]
        columns = {self.uid_field: torch.cat([users, users[first]])}
        for field in rows:
            values = self._windows.columns.get(field + self.config["LIST_SUFFIX"])
            if values is not None:
                columns[field] = torch.cat([rows[field][:], values[before[first]]])
        return Interaction(columns)

    def replace_history(self, history: PlayHistory) -> None:
        """Cut windows from other plays from now on; the rows that are there no longer fit.

        Raises:
            UsageError: If windows of more than the items are wanted, which ``history`` does not hold.
        """
        columns = {self.iid_field + self.config["LIST_SUFFIX"]: history.items}
        lost = set(self._windows.served) - {*columns, self.item_list_length_field}
        if lost:
            raise UsageError(f"new histories hold no windows of other fields, such as [{min(lost)}]")
        self.history, self._windows = history, self._windows._replace(history=history, columns=columns)

    def latest_rows(self, users: Tensor) -> Interaction:
        """Rows of users ``[B]`` that come after all their plays, with windows, and padding for the target.

        Raises:
            UsageError: If there are no histories, as the files were split beforehand.
        """
        if self.history is None:
            raise UsageError(
                f"data set [{self.dataset_name}] was split beforehand (benchmark_filename) and holds no "
                f"histories; name an .inter file of them"
            )
        ends = self.history.starts[users + 1]
        # RecBole's CPR models compute a loss when they score, and so read a target.
        rows = {self.uid_field: users, self.iid_field: torch.zeros_like(users), self.end_field: ends}
        if self.history.times is not None:
            rows[self.config["REQUEST_TIME_FIELD"]] = self._request_times(ends)
        return Interaction({**rows, **self._windows.cut(rows)})

    def _request_times(self, ends: Tensor) -> Tensor:
        """Moments of lists after all plays: the log's last one, or under leave-one-out each user's."""
        history = cast("PlayHistory", self.history)
        if self.splits_at_borders:
            return history.timed().max().expand(len(ends))
        return cast("Tensor", history.times)[ends - 1]


@contextmanager
def windows_named(model: str, dataset: Any) -> Iterator[None]:
    """Say which windows a model reads that batches do not hold.

    Raises:
        UsageError: If the model misses some that plays have.
    """
    try:
        yield
    except KeyError as error:
        field = str(error.args[0] if error.args else "")
        if field not in getattr(getattr(dataset, "_windows", None), "columns", ()):
            raise
        of_plays = field.removesuffix(dataset.config["LIST_SUFFIX"])
        raise UsageError(f"{model} reads [{field}]; say window_fields: [{of_plays}]") from error
