"""RecBole's sequential data set: a log, or files that are split beforehand (sessions)."""

from __future__ import annotations

from logging import getLogger

from recbole.data.dataset import SequentialDataset

from recbole_popaware.data.atomic import AtomicFiles
from recbole_popaware.errors import UsageError

logger = getLogger(__name__)


def check_size(name: str, n: int, what: str, kept: int, loaded: int) -> None:
    """Check that ``kept`` of ``loaded`` rows are of two users, or two items.

    Raises:
        UsageError: If they are of fewer.
    """
    if n < 2:
        raise UsageError(
            f"data set [{name}] has {n} {what} in {kept} rows "
            f"({loaded} before filtering); at least 2 are needed"
        )


class AtomicDataset(AtomicFiles, SequentialDataset):
    """RecBole's sequential data set, read by :class:`AtomicFiles`; differs from stock in what it refuses.

    A log needs two users and two items. Files that are split beforehand need lists that are numbered as items
    are and not empty; of lists longer than ``MAX_ITEM_LIST_LENGTH`` the newest items are kept.
    """

    def _check_filtered(self, loaded: int) -> None:
        kept = len(self.inter_feat)
        for field, what in ((self.uid_field, "users"), (self.iid_field, "items")):
            check_size(self.dataset_name, self.inter_feat[field].nunique(), what, kept, loaded)

    def _benchmark_presets(self) -> None:
        self._check_lists(self.iid_field + self.config["LIST_SUFFIX"])
        longest = self.max_item_list_len
        for field in self.inter_feat:
            if field + self.config["LIST_SUFFIX"] in self.inter_feat:
                column = self.inter_feat[field + self.config["LIST_SUFFIX"]]
                self.inter_feat[column.name] = column.map(lambda values: values[-longest:])
        super()._benchmark_presets()

    def _check_lists(self, field: str) -> None:
        """Check the column that says which items come before that of a row."""
        what = f"data set [{self.dataset_name}], split beforehand (benchmark_filename),"
        if field not in self.inter_feat or field not in self.alias["item_id"]:
            raise UsageError(
                f"{what} needs a column [{field}:token_seq] of the items before that of a row, numbered as "
                f"items are; say load_col: ~ and alias_of_item_id: [{field}]"
            )
        lengths = self.inter_feat[field].map(len)
        if not lengths.all():
            raise UsageError(f"{what} has {(lengths == 0).sum()} rows with an empty [{field}]; take them out")
        if lengths.max() > self.max_item_list_len:
            logger.warning(
                "%d lists of [%s] are longer than MAX_ITEM_LIST_LENGTH, %d; their newest items are kept",
                (lengths > self.max_item_list_len).sum(),
                self.dataset_name,
                self.max_item_list_len,
            )
