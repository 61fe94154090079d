"""RecBole's general models, which know no windows, under the splits of the sequential ones."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.data.targets import GradedTargets

logger = getLogger(__name__)


class GeneralDataset(HistoryDataset):
    """Trains on single plays; differs from :class:`~.dataset.HistoryDataset` in what follows.

    * A training row is a play, a user's first one too: every positive play that is not held out.
    * Batches have no windows.
    * Validation and test rows have targets under every split, those of sequential models.
    """

    def build(self) -> list[HistoryDataset]:
        """Split the plays; see :meth:`HistoryDataset.build`."""
        parts = super().build()
        if not self.splits_at_borders:
            parts[0] = self._all_but(parts[1:])
            for part in parts[1:]:
                part.targets = _single_targets(part.inter_feat[self.iid_field])
            self.inter_feat = parts[0].inter_feat
        logger.info(
            "%s ranks all items for the users and targets of sequential models%s",
            self.config["model"],
            ", less those played before" if self.config["mask_history"] else "; played ones are not hidden",
        )
        return parts

    def training_part(self, trained: Tensor) -> HistoryDataset:
        """The part of all plays that are trained on, ``[P]``."""
        return self.copy(self._plays_at(torch.nonzero(trained).squeeze(1)))

    def copy(self, new_inter_feat: Any) -> HistoryDataset:
        """Make a data set of other rows, which are plain ones, as stock has them."""
        part: HistoryDataset = super(HistoryDataset, self).copy(new_inter_feat)
        return part

    def windows_of(self, rows: Any) -> Interaction:
        """Nothing: general models know users by their numbers."""
        return Interaction({})

    def _aug_presets(self) -> None:
        """Nothing: there are no list fields."""

    def _rows_and_first_plays(self) -> Interaction:
        rows: Interaction = self.inter_feat  # which have the first plays already
        return rows

    def _all_but(self, parts: list[HistoryDataset]) -> HistoryDataset:
        assert self.history is not None  # noqa: S101  # it is made before rows are split
        trained = torch.ones(len(self.history.items), dtype=torch.bool)
        for part in parts:
            trained[part.inter_feat[self.end_field]] = False
        return self.training_part(trained)

    def _plays_at(self, positions: Tensor) -> Interaction:
        """Plays at some positions ``[R]`` of the store as rows."""
        assert self.history is not None  # noqa: S101  # as above
        suffix, columns = self.config["LIST_SUFFIX"], self._windows.columns
        users = torch.searchsorted(self.history.starts, positions, right=True) - 1
        fields = {field: columns[field + suffix] for field in self.inter_feat if field + suffix in columns}
        rows = {field: values[positions] for field, values in fields.items()}
        return Interaction({self.uid_field: users, **rows, self.end_field: positions})


def _single_targets(items: Tensor) -> GradedTargets:
    return GradedTargets(items, torch.ones(len(items)), torch.arange(len(items) + 1))
