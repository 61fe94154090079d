"""RecBole's sequential data set on a log that is mapped, where no property changes the plays."""

from __future__ import annotations

import codecs
import os
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.utils import FeatureSource, FeatureType

from recbole_popaware.data.log_store import SMALLEST_TEXT, binary_file, find_log
from recbole_popaware.data.log_text import ENCODING, SEPARATOR
from recbole_popaware.data.protocol import leaves_out, splits_at_borders
from recbole_popaware.data.reader import read_header
from recbole_popaware.data.rows import Rows
from recbole_popaware.data.sequential import AtomicDataset, check_size
from recbole_popaware.plays.columns import StoredColumn, UserColumn
from recbole_popaware.plays.log_file import StoredLog
from recbole_popaware.plays.ordered import PlayLog

logger = getLogger(__name__)

_SHAPING = (
    *("benchmark_filename", "additional_feat_suffix", "alias_of_user_id", "alias_of_item_id"),
    *("rm_dup_inter", "val_interval", "unused_col", "threshold", "preload_weight"),
    *("normalize_field", "normalize_all", "discretization", "numerical_features"),
)
"""Properties that change plays or add to them, and that must not be set."""

_ANY_NUMBER = (None, "[0,inf)")
_TYPES = (FeatureType.TOKEN, FeatureType.TOKEN, FeatureType.FLOAT, FeatureType.FLOAT)


class TokenNumbers(dict[str, dict[str, int]]):
    """The number of each id, by field; a table is made when it is first asked for."""

    def __init__(self, id_token: dict[str, np.ndarray]) -> None:
        super().__init__()
        self._id_token = id_token

    def __missing__(self, field: str) -> dict[str, int]:
        self[field] = {token: number for number, token in enumerate(self._id_token[field])}
        return self[field]


class MappedDataset(AtomicDataset):
    """Differs from stock in that a plain log comes from its binary form (:mod:`.log_store`), if it can.

    Then ``inter_feat`` has lazy columns in exact order, and nothing of the log is loaded.

    Attributes:
        plays: See :class:`~.ordered.OrderedDataset`.
    """

    plays: PlayLog | None = None
    rating_field: str
    _stored: StoredLog | None = None

    def _load_data(self, token: str, dataset_path: str) -> None:
        self._stored = self._find_stored(Path(dataset_path), token)
        if self._stored is None:
            super()._load_data(token, dataset_path)
            return
        for field, kind in zip(self._loaded(self._stored.names), _TYPES):
            self.field2source[field], self.field2type[field] = FeatureSource.INTERACTION, kind
            self.field2seqlen[field] = 1
            if kind == FeatureType.FLOAT:
                self.field2bucketnum[field] = 2
        self.inter_feat = self.user_feat = self.item_feat = None

    def _find_stored(self, folder: Path, name: str) -> StoredLog | None:
        text, file = folder / f"{name}.inter", binary_file(folder, name)
        has_text = text.is_file()
        if not has_text and not file.is_file():
            return None
        reason = self._why_text(folder, name)
        if reason is not None:
            if not has_text or file.is_file() or text.stat().st_size >= SMALLEST_TEXT:
                logger.info("data set [%s] is read as text, as %s", name, reason)
            return None
        wanted = (self.uid_field, self.iid_field, self.time_field, self.rating_field)
        if not has_text:
            return find_log(folder, name, wanted, {}) or find_log(folder, name, wanted[:3], {})
        fields = read_header(os.fspath(text), SEPARATOR, ENCODING)
        names = tuple(field for field in wanted if field in fields)
        loaded = set(self._loaded(fields))
        if not set(wanted[:3]) <= loaded <= set(names) or any(
            fields[field] != kind.value for field, kind in zip(wanted, _TYPES) if field in fields
        ):
            return None
        return find_log(folder, name, names, fields)

    def _why_not_binary(self, folder: Path, name: str) -> str:
        reason = self._why_text(folder, name)
        return (
            f"cannot be used, as {reason}" if reason else "is damaged, or of other fields or another version"
        )

    def _loaded(self, fields: Any) -> list[str]:
        """Which fields of the log are loaded."""
        load_col, unload_col = self._get_load_and_unload_col(FeatureSource.INTERACTION)
        return [f for f in fields if (load_col is None or f in load_col) and f not in (unload_col or ())]

    def _why_text(self, folder: Path, name: str) -> str | None:
        """Why the log must be read as text, in words that follow ``as``; ``None`` if it need not be."""
        config = self.config
        encoding = codecs.lookup(config["encoding"] or ENCODING).name
        intervals = ("user_inter_num_interval", "item_inter_num_interval")
        shaping = [name for name in _SHAPING if config[name]]
        shaping += [name for name in intervals if config[name] not in _ANY_NUMBER]
        if shaping:
            return f"{shaping[0]} is set"
        if (config["field_separator"], encoding) != (SEPARATOR, ENCODING):
            return "its separator or encoding is another one"
        if not splits_at_borders(config) and leaves_out(config) is None:
            return "the split is neither GTS nor leave-one-out by time"
        for source in (FeatureSource.USER, FeatureSource.ITEM):
            file = folder / f"{name}.{source.value}"
            if self._get_load_and_unload_col(source)[0] != set() and os.path.lexists(file):
                return f"{file.name} is loaded"
        return None

    def _data_processing(self) -> None:
        if self._stored is None:
            super()._data_processing()
            return
        self.feat_name_list = ["inter_feat"]
        self._take(self._stored)
        self._stored = None

    def _take(self, stored: StoredLog) -> None:
        rated = self.rating_field in self.field2type
        log = PlayLog(stored.starts, stored.items, stored.times, stored.ratings if rated else None)
        users, items = (ids.to_numpy(zero_copy_only=False) for ids in (stored.user_ids, stored.item_ids))
        loaded = len(log.items)
        if not log.all_positive:
            self._note_negative(loaded - int(log.positive_before(log.starts[-1:])[0]))
            if not splits_at_borders(self.config) and stored.renumbered is not None:
                log = _renumbered(log, *stored.renumbered)
                users, items = (_moved(ids, to) for ids, to in zip((users, items), stored.renumbered))
        for ids, what in ((users, "users"), (items, "items")):
            check_size(self.dataset_name, len(ids) - 1, what, len(log.items), loaded)
        self.field2id_token.update({self.uid_field: users, self.iid_field: items})
        self.field2token_id = TokenNumbers(self.field2id_token)
        self.plays, self.inter_feat = log, self._rows_of(log)

    def _note_negative(self, n_plays: int) -> None:
        """Say what becomes of plays with a rating of 0 or less."""
        fate = "are graded targets only"
        if not splits_at_borders(self.config):
            fate = "are left out, as this split has no graded targets"
        logger.info("%d plays with a rating of 0 or less %s", n_plays, fate)

    def _rows_of(self, log: PlayLog) -> Rows:
        columns = {
            self.uid_field: UserColumn(torch.tensor(log.starts)),
            self.iid_field: StoredColumn(log.items, torch.int64),
            self.time_field: StoredColumn(log.times, torch.float32),
        }
        if log.ratings is not None:
            columns[self.rating_field] = StoredColumn(log.ratings, torch.float32)
        return Rows(columns)

    @property
    def is_mapped(self) -> bool:
        """Whether the plays that are not split yet come from the binary form."""
        return isinstance(self.inter_feat, Rows)

    def _dataframe_to_interaction(self, data: Any) -> Any:
        if not isinstance(data, Rows):
            return super()._dataframe_to_interaction(data)
        assert self.plays is not None  # noqa: S101  # it is split once only
        return self._rows_of(self.plays.positive_part)


def _renumbered(log: PlayLog, users: np.ndarray, items: np.ndarray) -> PlayLog:
    """The positive plays, where users ``[n_users]`` and items ``[n_items]`` have other numbers."""
    log = log.positive_part
    old = _moved(np.arange(len(users)), users)
    positions = log.positions(log.starts[old], log.starts[old + 1])
    starts = np.concatenate([[0], np.cumsum(log.starts[old + 1] - log.starts[old])])
    ratings = None if log.ratings is None else log.ratings[positions]
    return PlayLog(starts, items[log.items[positions]], log.times[positions], ratings)


def _moved(values: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Values ``[n]`` in the order of new numbers; those that get none are left out, but for the padding."""
    moved = np.empty(1 + to.max(initial=0), dtype=values.dtype)
    moved[to[1:]] = values[1:]
    moved[0] = values[0]
    return moved
