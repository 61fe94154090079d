"""Collect what the measures need from each batch of scores."""

from __future__ import annotations

from typing import Any

import recbole.evaluator
import torch
from recbole.evaluator.collector import DataStruct
from torch import Tensor

from recbole_popaware.distributed import gather_rows
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.composition import NewItems, compose
from recbole_popaware.evaluator.ranking import ideal_gains, top_items
from recbole_popaware.plays.explore_share import ExploreShares
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.plays.ragged import look_up_keys, row_keys

_RANKED = ("rec.items", "rec.topk")
_OURS = (
    *("rec.gains", "rec.plays", "data.users", "data.history_plays", "data.targets", "data.repeat_targets"),
    *("data.target_plays", "data.ideal", "data.ideal_repeat", "data.ideal_explore"),
)


class PopAwareCollector(recbole.evaluator.Collector):
    """RecBole's collector; differs from stock in what follows.

    * Equal scores have a fixed order, by item id, for stock's ranking measures too.
    * Hits come from a search: no [B, n_items] matrix of integers.
    * It knows gains of the targets, and the user's plays of what is recommended.
    * Lists have a share of new items, with ``list_explore_share`` or ``list_calibrated``.
    * Where there are several processes, each hands over what all of them collected.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._ranked = {key for key in _RANKED if self.register.need(key)}
        for key in self._ranked:
            delattr(self.register, key)  # so that super() leaves these to us
        self._ours = bool(config["save_per_user"]) or any(self.register.need(key) for key in _OURS)
        self._explore_share: float = config["list_explore_share"] or 0.0
        self._calibrated = float(config["list_calibrated"] or 0)  # factor of each user's own share; 0: off
        self._history: PlayHistory | None = None
        self._shares: ExploreShares | None = None
        self._of_training: set[str] = set()
        self.n_rows = 0  # of the data being evaluated; set by the trainer where there are several processes

    def data_collect(self, train_data: Any) -> None:
        """Note the training data's store of histories, which has every play of all parts.

        Raises:
            UsageError: If plays of items are asked for, and a data set of RecBole's own does not count them.
        """
        super().data_collect(train_data)
        self._history = getattr(train_data.dataset, "history", None)
        if self.register.need("data.trained_items"):
            self.data_struct.set("data.trained_items", _trained_items(train_data.dataset))
        if self._calibrated and self._history is not None:
            ends = train_data.dataset.training_ends()
            self._shares = ExploreShares.of_everybody(self._history, ends)
        self._of_training = set(self.data_struct._data_dict)

    def eval_batch_collect(
        self, scores_tensor: Tensor, interaction: Any, positive_u: Tensor, positive_i: Tensor
    ) -> None:
        """Collect from one batch.

        Args:
            scores_tensor: ``[B, n_items]``.
            interaction: The batch's rows.
            positive_u: ``[P]`` row of each positive target.
            positive_i: ``[P]`` item of each positive target.

        Raises:
            UsageError: If a score is no number.
        """
        super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)
        if not (self._ranked or self._ours):
            return
        if scores_tensor.amax(dim=1).isnan().any():
            raise UsageError(
                "the model's scores are nan, so its lists would be by chance; try a lower learning_rate, or "
                "clip_grad_norm: {max_norm: 5}"
            )
        n_items = scores_tensor.size(1)
        top = self._lists(scores_tensor, interaction)
        positive_u, positive_i = positive_u.to(top.device), positive_i.to(top.device)
        if "rec.items" in self._ranked:
            self.data_struct.update_tensor("rec.items", top)
        if "rec.topk" in self._ranked:
            hits = torch.isin(row_keys(top, n_items), positive_u * n_items + positive_i)
            n_positive = torch.bincount(positive_u, minlength=len(top)).unsqueeze(1)
            self.data_struct.update_tensor("rec.topk", torch.cat([hits.to(n_positive), n_positive], dim=1))
        if self._ours:
            items, gains = self._targets(interaction, positive_u, positive_i)
            self._collect_ours(top, n_items, interaction, (items.to(top.device), gains.to(top.device)))

    def get_data_struct(self) -> Any:
        """Hand over what was collected and forget what came with the batches.

        Stock asks every value for ``.cpu()``, which the counts that some of its measures need do not have.
        """
        collected = DataStruct()
        for key, value in list(self.data_struct._data_dict.items()):
            if key not in self._of_training:
                del self.data_struct[key]
                if not self.config["single_spec"]:
                    value = gather_rows(value.to(self.device), self.n_rows)
            collected.set(key, value.cpu() if isinstance(value, Tensor) else value)
        return collected

    def _targets(self, interaction: Any, positive_u: Tensor, positive_i: Tensor) -> tuple[Tensor, Tensor]:
        """Targets and their gains, both ``[B, T]``; a row that is itself the target has one, of gain 1."""
        field = self.config["TARGET_ITEMS_FIELD"]
        if field in interaction:
            return interaction[field], interaction[self.config["TARGET_GAINS_FIELD"]]
        items = positive_i.unsqueeze(1)
        return items, torch.ones_like(items, dtype=torch.float32)

    def _target_plays(self, interaction: Any) -> Tensor:
        """Plays of each row's targets, ``[B]``; one where the row is itself the target."""
        field = self.config["TARGET_PLAYS_FIELD"]
        users: Tensor = interaction[self.config["USER_ID_FIELD"]]
        return interaction[field] if field in interaction else torch.ones_like(users)

    def _lists(self, scores: Tensor, interaction: Any) -> Tensor:
        """Ranked items ``[B, K]`` of the longest list; shorter ones are its first items."""
        lengths = sorted(self.topk)
        if not (self._calibrated or self._explore_share):
            return top_items(scores, lengths[-1])
        history, users, ends = self._histories(interaction)
        wanted = NewItems.at_least(self._explore_share, lengths)
        if self._shares is not None:
            wanted = NewItems.calibrated(self._shares.at(users, ends), lengths, self._calibrated)
        counts = history.counts(users, ends, scores.size(1), device=scores.device)
        return compose(scores.clone(), counts, wanted)[0]

    def _histories(self, interaction: Any) -> tuple[PlayHistory, Tensor, Tensor]:
        """All plays, and each row's user and end of history, ``[B]`` each."""
        if self._history is None:
            raise UsageError(
                "measures of repeats and explorations, and lists with a share of new items, need whole "
                "histories, which this model's data set (or benchmark_filename) does not hold"
            )
        users, ends = (interaction[self.config[f"{field}_FIELD"]] for field in ("USER_ID", "HISTORY_END"))
        return self._history, users.cpu(), ends.cpu()

    def _collect_ours(
        self, top: Tensor, n_items: int, interaction: Any, targets: tuple[Tensor, Tensor]
    ) -> None:
        history, users, ends = self._histories(interaction)
        items, gains = targets
        counts = history.counts(users, ends, n_items, device=top.device)
        repeated = counts.of_items(items) > 0
        known, order = row_keys(items, n_items).flatten().sort()
        k, real = top.size(1), gains > 0
        collected = {
            "rec.gains": look_up_keys(row_keys(top, n_items), known, gains.flatten()[order]),
            "rec.plays": counts.of_items(top),
            "data.users": users,
            "data.history_plays": counts.total(len(top)),
            "data.targets": real.sum(dim=1),
            "data.repeat_targets": (real & repeated).sum(dim=1),
            "data.target_plays": self._target_plays(interaction).to(top.device),
            "data.ideal": ideal_gains(gains, k),
            "data.ideal_repeat": ideal_gains(gains * repeated, k),
            "data.ideal_explore": ideal_gains(gains * ~repeated, k),
        }
        for key, value in collected.items():
            self.data_struct.update_tensor(key, value)


def _trained_items(dataset: Any) -> int:
    """How many items have a training play."""
    if not hasattr(dataset, "item_plays"):
        raise UsageError(
            "YambdaCoverage counts the items with training plays, which this model's data set does not know; "
            "ItemCoverage counts all items"
        )
    return int((dataset.item_plays() > 0).sum())
