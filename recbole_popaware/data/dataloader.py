"""Training batches with a target at every position, and evaluation batches with many targets a user."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import torch
from recbole.data.dataloader import FullSortEvalDataLoader, KnowledgeBasedDataLoader
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_popaware.data.indices import LeanTrainDataLoader
from recbole_popaware.data.targets import GradedTargets
from recbole_popaware.data.tiles import Tiles, draw_tiles, lay_tiles
from recbole_popaware.errors import UsageError
from recbole_popaware.plays.ragged import pad_rows
from recbole_popaware.replay.requests import (
    BORDERS,
    NETWORK_SHARES,
    SHARES,
    Requests,
    at_borders,
    next_plays,
)


class TiledTrainDataLoader(LeanTrainDataLoader):
    """One row a window; differs from stock in that every play of the window is a target.

    Windows are laid anew, at random, for each epoch; before the first one the length is that of one lay.
    The interaction has stock's fields for the window's newest target, and the one that ``NEXT_ITEMS_FIELD``
    names: ``[B, L]`` the play after each position of the window, 0 where it is no target. With
    ``train_horizon`` H > 1 it is one of the next H plays instead, drawn anew for each epoch.

    ``train_windows: one`` draws one window a user for each epoch. ``epoch_batches`` N ends an epoch after N
    batches, drawn at random, and leaves out the last batch if it is not full.

    Raises:
        UsageError: If a user's training rows leave out plays in between.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        super().__init__(config, dataset, sampler, shuffle)
        self._users, self._first, self._last = dataset.target_ranges()
        self._lay(torch.Generator().manual_seed(config["seed"]))

    def __iter__(self) -> Any:
        self._lay(self.generator)
        return super().__iter__()

    def collate_fn(self, index: Any) -> Interaction:
        """Cut the batch of the windows that ``index`` lists."""
        chosen = torch.as_tensor(index)
        users, ends = self._tiles.users[chosen], self._tiles.ends[chosen]
        dataset = self._dataset
        rows = {self.uid_field: users, self.iid_field: dataset.history.items[ends], dataset.end_field: ends}
        batch = Interaction(rows)
        batch.update(dataset.windows_of(batch))
        positions, inside = dataset.history.window(users, ends, dataset.max_item_list_len)
        before_end = ends.unsqueeze(1) - positions  # 1 at the newest
        trained = inside & (before_end <= self._tiles.targets[chosen].unsqueeze(1))
        following = dataset.history.items[self._following(positions, self._tiles.lasts[chosen])]
        batch.update(Interaction({self.config["NEXT_ITEMS_FIELD"]: following.where(trained, 0)}))
        return batch

    def _following(self, positions: Tensor, last: Tensor) -> Tensor:
        """Draw where the target of each position ``[B, L]`` is, up to the user's last one ``[B]``."""
        left = (last.unsqueeze(1) - positions).clamp_(1, self.config["train_horizon"])
        draw = torch.rand(positions.shape, generator=self.generator)
        following = positions + 1 + (draw * left).long()
        return following.clamp_(max=len(self._dataset.history.items) - 1)

    def _lay(self, generator: torch.Generator) -> None:
        length = self._dataset.max_item_list_len
        choose = draw_tiles if self.config["train_windows"] == "one" else lay_tiles
        tiles = choose(self._first, self._last, length, generator)
        if self.config["epoch_batches"]:
            tiles = self._limit(tiles, generator)
        self._tiles = tiles._replace(users=self._users[tiles.users], lasts=self._last[tiles.users])
        self._resize(len(tiles.ends))

    def _limit(self, tiles: Tiles, generator: torch.Generator) -> Tiles:
        """Keep as many windows, drawn at random, as fill the batches of an epoch; all if they fill none."""
        size = self.config["train_batch_size"]
        full = min(self.config["epoch_batches"], len(tiles.ends) // size)
        drawn = torch.randperm(len(tiles.ends), generator=generator)[: full * size or None]
        return Tiles(*(column[drawn] for column in tiles))


class RequestTrainDataLoader(LeanTrainDataLoader):
    """One row a request in the past (:mod:`recbole_popaware.replay.requests`), drawn once for a training.

    Batches hold the index of each in the field that ``EXAMPLE_FIELD`` names.

    Attributes:
        requests: They are also the data set's, for the model.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        super().__init__(config, dataset, sampler, shuffle)
        self.requests = dataset.requests = _past_requests(config, dataset)
        moments = [part.moments for part in self.requests]
        self._users, self._ends = (torch.cat(columns) for columns in list(zip(*moments))[:2])
        self._resize(len(self._users))

    def collate_fn(self, index: Any) -> Interaction:
        """The batch of the requests that ``index`` lists, with the windows before them."""
        chosen, dataset = torch.as_tensor(index), self._dataset
        rows = {self.uid_field: self._users[chosen], dataset.end_field: self._ends[chosen]}
        batch = Interaction({**rows, self.config["EXAMPLE_FIELD"]: chosen})
        batch.update(dataset.windows_of(batch))
        return batch


class MixedTrainDataLoader(TiledTrainDataLoader):
    """Windows up to a border for a network, and in batches of their own requests after it for a head.

    Batches of requests are spread evenly among the others, one for two of these at most, so that they
    hardly prolong an epoch; each epoch draws other requests.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        self._requests = RequestTrainDataLoader(config, dataset, sampler, shuffle)
        super().__init__(config, dataset, sampler, shuffle)
        known = self._requests.requests[0].known
        users = torch.repeat_interleave(dataset.history.starts.diff())
        ends = dataset.history.starts[:-1] + torch.bincount(users[known], minlength=dataset.user_num)
        last = torch.minimum(self._last, ends[self._users] - 1)
        kept = last >= self._first
        self._users, self._first, self._last = self._users[kept], self._first[kept], last[kept]
        if not len(self._users):
            raise UsageError(
                "popularity_head: replay finds no window before its border: there are too few plays"
            )
        self._lay(torch.Generator().manual_seed(config["seed"]))

    def __len__(self) -> int:
        return super().__len__() + self._n_requests

    @property
    def _n_requests(self) -> int:
        """Batches of requests in an epoch."""
        return min(len(self._requests), (super().__len__() + 1) // 2)

    def __iter__(self) -> Any:
        windows, requests = super().__iter__(), iter(self._requests)
        n_windows, n_requests = super().__len__(), self._n_requests
        for index, batch in enumerate(windows):
            yield batch
            due = (index + 1) * n_requests // n_windows - index * n_requests // n_windows
            yield from islice(requests, due)


def _past_requests(config: Any, dataset: Any) -> list[Requests]:
    """Requests as they will come: at borders in time under GTS, and before each next play otherwise."""
    if dataset.history is None:
        raise UsageError("this model needs whole histories, which files split beforehand do not hold")
    generator = torch.Generator().manual_seed(config["seed"])
    history, trained, n_items = dataset.history, dataset.trained_plays(), dataset.item_num
    with_network = config["train_targets"] == "all"
    if dataset.splits_at_borders:
        parts = at_borders(history, trained, n_items, NETWORK_SHARES if with_network else BORDERS)
    else:
        of_target, shares = config["replay_now"] == "target", NETWORK_SHARES if with_network else SHARES
        parts = next_plays(history, trained, n_items, generator, of_target, shares)
    most = config["replay_requests"] // len(parts)
    if not any(len(part.moments.users) for part in parts):
        raise UsageError("there is no moment to learn from: the training part has too few plays")
    return [part.sample(most, n_items, generator) for part in parts]


class MultiTargetEvalDataLoader(FullSortEvalDataLoader):
    """Differs from stock in that a row has all its distinct targets with their gains, for any kind of model.

    A batch is ``(interaction, history_index, positive_u, positive_i)`` as RecBole's trainer expects it.
    The interaction also holds the fields that ``TARGET_ITEMS_FIELD`` and ``TARGET_GAINS_FIELD`` name:
    ``[B, T]`` items (0 = padding) and ``[B, T]`` gains. With ``mask_history`` the trainer hides every item
    of a row's whole history; otherwise ``history_index`` is ``None``, for repeats are the point.
    """

    def __init__(self, config: Any, dataset: Any, sampler: Any, shuffle: bool = False) -> None:
        self.uid_field, self.iid_field = dataset.uid_field, dataset.iid_field
        self.is_sequential, self.sample_size = True, len(dataset)
        # Not stock's own, which regroups the rows of models that are not sequential.
        super(FullSortEvalDataLoader, self).__init__(config, dataset, sampler, shuffle=False)

    def collate_fn(self, index: Any) -> tuple[Interaction, tuple[Tensor, Tensor] | None, Tensor, Tensor]:
        """Cut the batch of the rows that ``index`` lists."""
        index = np.array(index)
        interaction = self.transform(self._dataset, self._dataset[index])
        targets: GradedTargets = self._dataset.targets
        rows, positions = targets.of_rows(torch.from_numpy(index))
        items, gains = targets.items[positions], targets.gains[positions]
        for name, values in (("TARGET_ITEMS_FIELD", items), ("TARGET_GAINS_FIELD", gains)):
            interaction.update(Interaction({self.config[name]: pad_rows(rows, values, len(index))}))
        return interaction, self._history_index(interaction), rows, items

    def _history_index(self, interaction: Interaction) -> tuple[Tensor, Tensor] | None:
        if not self.config["mask_history"]:
            return None
        users, ends = interaction[self.uid_field], interaction[self.config["HISTORY_END_FIELD"]]
        rows, positions = self._dataset.history.before(users, ends)
        return rows, self._dataset.history.items[positions]


class KnowledgeTrainDataLoader(KnowledgeBasedDataLoader):
    """Plays and triples; differs from stock in that it has what RecBole's other loaders have.

    Both kinds of rows are drawn by one generator of random numbers, so that one state restores it.
    """

    def __init__(
        self, config: Any, dataset: Any, sampler: Any, kg_sampler: Any, shuffle: bool = False
    ) -> None:
        super().__init__(config, dataset, sampler, kg_sampler, shuffle)
        self.dataset, self.generator = dataset, self.general_dataloader.generator
        self.sample_size = self.general_dataloader.sample_size
        self.kg_dataloader.generator = self.kg_dataloader.sampler.generator = self.generator
