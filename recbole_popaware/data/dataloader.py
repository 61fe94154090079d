"""Evaluation batches with many targets a user."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recbole_popaware.data.targets import GradedTargets


class MultiTargetEvalDataLoader(FullSortEvalDataLoader):
    """One row a user; differs from stock in that a row has all its distinct targets, with their gains.

    A batch is ``(interaction, history_index, positive_u, positive_i)`` as RecBole's trainer expects it.
    The interaction also holds the fields that ``TARGET_ITEMS_FIELD`` and ``TARGET_GAINS_FIELD`` name:
    ``[B, T]`` items (0 = padding) and ``[B, T]`` gains. With ``mask_history`` the trainer hides every item
    of a row's whole history; otherwise ``history_index`` is ``None``, for repeats are the point.
    """

    def collate_fn(self, index: Any) -> tuple[Interaction, tuple[Tensor, Tensor] | None, Tensor, Tensor]:
        """Cut the batch of the rows that ``index`` lists."""
        index = np.array(index)
        interaction = self.transform(self._dataset, self._dataset[index])
        targets: GradedTargets = self._dataset.targets
        rows, places = targets.of_rows(torch.from_numpy(index))
        sizes = torch.bincount(rows, minlength=len(index)).tolist()
        items, gains = targets.items[places], targets.gains[places]
        for name, values in (("TARGET_ITEMS_FIELD", items), ("TARGET_GAINS_FIELD", gains)):
            interaction.update(
                Interaction(
                    {self.config[name]: pad_sequence(list(torch.split(values, sizes)), batch_first=True)}
                )
            )
        return interaction, self._history_index(interaction), rows, items

    def _history_index(self, interaction: Interaction) -> tuple[Tensor, Tensor] | None:
        if not self.config["mask_history"]:
            return None
        users, ends = interaction[self.uid_field], interaction[self.config["HISTORY_END_FIELD"]]
        rows, places = self._dataset.history.before(users, ends)
        return rows, self._dataset.history.items[places]
