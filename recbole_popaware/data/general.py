"""RecBole's general models, which know no windows, under the splits of the sequential ones."""

from __future__ import annotations

from logging import getLogger
from typing import Any

import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.data.targets import GradedTargets
from recbole_popaware.plays.columns import Ranges

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
                part.targets = _single_targets(part.inter_feat[self.iid_field][:])
            self.inter_feat = parts[0].inter_feat
        logger.info(
            "%s ranks all items for the users and targets of sequential models%s",
            self.config["model"],
            ", less those played before" if self.config["mask_history"] else "; played ones are not hidden",
        )
        return parts

    def training_part(self, trained_until: Tensor) -> HistoryDataset:
        """The part of all plays before a position of each user, ``[n_users]``."""
        assert self.history is not None  # noqa: S101  # it is made before rows are split
        return self._part(Ranges.of(torch.arange(self.user_num), self.history.starts[:-1], trained_until))

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
        assert self.history is not None  # noqa: S101  # as above
        until = self.history.starts[1:].clone()
        for part in parts:
            rows = part.inter_feat
            until.scatter_reduce_(0, rows[self.uid_field][:], rows[self.end_field][:], "amin")
        return self.training_part(until)


def _single_targets(items: Tensor) -> GradedTargets:
    return GradedTargets(items, torch.ones(len(items)), torch.arange(len(items) + 1))
