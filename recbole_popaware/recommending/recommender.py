"""A loaded model with the histories it recommends from; makes tables of lists, batch by batch."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from tqdm import tqdm

from recbole_popaware.data.dataset import HistoryDataset
from recbole_popaware.data.general import GeneralDataset
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.ranking import top_items
from recbole_popaware.model.popularity_aware import PopularityAware
from recbole_popaware.plays.counts import ItemCounts
from recbole_popaware.plays.explore_share import ExploreShares
from recbole_popaware.plays.history import PlayHistory
from recbole_popaware.quick_start import Prepared, load_data_and_model
from recbole_popaware.recommending.columns import read_titles, read_users
from recbole_popaware.recommending.listeners import Listeners, of_data_set, read_histories
from recbole_popaware.recommending.lists import Lists, schema, to_table
from recbole_popaware.recommending.options import EVERYBODY, FLOAT32, Options, Users, one_of_both
from recbole_popaware.recommending.play_files import files_of
from recbole_popaware.recommending.rough import RoughTable, has_table
from recbole_popaware.recommending.scorer import (
    Scores,
    Workspace,
    fuse_activations,
    inference_transform,
    score_rows,
    score_terms,
    shorten_windows,
)
from recbole_popaware.recommending.selection import choose
from recbole_popaware.recommending.threads import in_order
from recbole_popaware.recommending.without_log import load_without_log

logger = getLogger(__name__)

_SCORES_AT_ONCE = 1 << 23  # 32 MiB a matrix: about what processors keep at hand
_LEAST_USERS_AT_ONCE, _MOST_USERS_AT_ONCE = 64, 256


def users_at_once(n_items: int) -> int:
    """How many users are scored at once, unless somebody says so."""
    most = min(_MOST_USERS_AT_ONCE, _SCORES_AT_ONCE // n_items)
    return max(_LEAST_USERS_AT_ONCE, 64 * (most // 64))


class Recommender:
    """Makes lists from each user's latest history: all positive plays that there are.

    Args:
        checkpoint: A file that training has saved.
        topk: Length of the lists.
        options: All else, as an object.
        **keywords: All else, one by one: the attributes of :class:`~.options.Options`.

    Attributes:
        rules: Length and kind of the lists.
        checkpoint: The file of the model.
        files: The files of new histories.
        in_parts: Whether there are several of which each can be used alone, by :meth:`use_history`. All are
            used together, unless somebody does that.
        batch_size: Users scored at once.
        listeners: The users by number.
        schema: Columns of the tables.

    Raises:
        UsageError: If a file cannot be read, or the options do not fit the model.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike[str],
        topk: int = 10,
        options: Options | None = None,
        **keywords: Any,
    ) -> None:
        options = one_of_both(options, **keywords)
        self.rules = options.rules(topk)
        self.checkpoint = Path(checkpoint)
        self.files = [] if options.history is None else files_of(options.history)
        experiment = self._load(checkpoint, _properties(options))
        self.dataset, self._model = experiment.dataset, experiment.model.eval()
        self._check()
        fuse_activations(self._model)
        self._device: torch.device = experiment.config["device"]
        self._transform = inference_transform(experiment.config)
        self._workspace = Workspace()
        self._rough = self._rough_table(options.precision)
        self._show_progress = options.show_progress
        n_items = self.dataset.item_num
        self.batch_size = options.batch_size or users_at_once(n_items)
        names = self.dataset.field2id_token[self.dataset.iid_field]
        self.names, self._titles = pa.array(names, pa.string()), None
        if options.item_file is not None:
            self._titles = read_titles(options.item_file, options.title_column, names)
        self.schema = schema(self._titles is not None)
        trained = self.dataset if experiment.train_data is None else experiment.train_data.dataset
        self._popular = self._popular_list(trained.item_popularity())
        self.listeners = of_data_set(self.dataset)
        self._n_trained = len(self.listeners.names)
        self._trained_on: np.ndarray | None = None  # whether a general model knows each user
        if isinstance(self.dataset, GeneralDataset):
            numbers = trained.inter_feat[self.dataset.uid_field].numpy()
            self._trained_on = np.bincount(numbers, minlength=self._n_trained) > 0
        of_everybody = self.dataset.history
        self.in_parts = len(self.files) > 1 and experiment.train_data is None
        self._has_history = not self.in_parts
        if self.files and not self.in_parts:
            self.use_history(self.files)
        self._shares = self._explore_shares(of_everybody) if self.rules.calibrated else None

    def use_history(self, files: Sequence[Path]) -> None:
        """Recommend from the plays in some files from now on.

        Raises:
            UsageError: If one cannot be read.
        """
        self._replace_history(*read_histories(files, self.dataset))
        self._has_history = True

    def select(self, users: Users) -> tuple[np.ndarray, np.ndarray]:
        """Find users.

        Returns:
            Ids ``[U]``, each once, and numbers ``[U]``, 0 for users that are not known.
        """
        if not self._has_history:
            self.use_history(self.files)
        if isinstance(users, str) and users == EVERYBODY:
            return self.listeners.names[self.listeners.everybody], self.listeners.everybody
        named = read_users(users) if isinstance(users, (str, os.PathLike)) else [str(user) for user in users]
        ids = np.array(list(dict.fromkeys(named)), dtype=object)
        return ids, self.listeners.numbers(ids)

    def have_plays(self, numbers: np.ndarray) -> np.ndarray:
        """Whether the users of some numbers ``[U]`` are known and have plays to recommend from, ``[U]``.

        General models recommend from what they were trained on, whatever the history.
        """
        if self._trained_on is not None:
            return self._trained_on[np.where(numbers < self._n_trained, numbers, 0)]
        starts = self.dataset.history.starts.numpy()
        have: np.ndarray = starts[numbers + 1] > starts[numbers]
        return have

    def tables(self, ids: np.ndarray, numbers: np.ndarray) -> Iterator[pa.Table]:
        """Make lists of users that :meth:`select` returned, a batch a table."""

        def table(batch: slice) -> pa.Table:
            return to_table(ids[batch], self._lists(numbers[batch]), self.names, self._titles)

        batches = [slice(start, start + self.batch_size) for start in range(0, len(ids), self.batch_size)]
        hidden = None if self._show_progress else True  # None: shown on terminals
        with tqdm(total=len(ids), unit=" users", unit_scale=True, disable=hidden) as progress:
            for batch, made in zip(batches, self._made(table, batches)):
                yield made
                progress.update(len(ids[batch]))

    def _made(self, table: Callable[[slice], pa.Table], batches: list[slice]) -> Iterable[pa.Table]:
        """Tables of batches; in threads where a model is known to keep nothing between its calls."""
        if self._device.type != "cpu" or not isinstance(self._model, PopularityAware):
            return map(table, batches)
        return in_order(table, batches, torch.get_num_threads())

    def collect(self, ids: np.ndarray, numbers: np.ndarray) -> pa.Table:
        """All of :meth:`tables` in one."""
        return pa.concat_tables([self.schema.empty_table(), *self.tables(ids, numbers)])

    @torch.inference_mode()
    def score(self, users: Tensor) -> tuple[Scores, ItemCounts]:
        """Score all items for users ``[B]`` who have plays, and count those plays.

        The scores are valid until the thread's next call.
        """
        rows, counts = self._rows(users)
        item_feat = self.dataset.get_item_feature()
        return score_rows(self._model, rows, counts, item_feat, self._workspace, self._rough), counts

    @torch.inference_mode()
    def terms(self, users: Tensor) -> tuple[dict[str, Tensor], ItemCounts]:
        """What :meth:`score` sums, by name (see :func:`~.scorer.score_terms`), the head's part weighted."""
        rows, counts = self._rows(users)
        terms = score_terms(self._model, rows, self.dataset.get_item_feature())
        if "head" in terms:
            terms["head"] = self.rules.popularity_weight * terms["head"]
        return terms, counts

    def _rows(self, users: Tensor) -> tuple[Any, ItemCounts]:
        """Rows of RecBole's fields for users ``[B]`` who have plays, and counts of those plays."""
        rows = self.dataset.latest_rows(users)
        ends, n_items = rows[self.dataset.end_field], self.dataset.item_num
        counts = self.dataset.history.counts(users, ends, n_items, device=self._device)
        if not hasattr(self._model, "history"):  # the number is then one of a learned vector, if anything
            rows[self.dataset.uid_field] = users.where(users < self._n_trained, 0)
        rows = shorten_windows(self._model, rows)
        return self._transform(self.dataset, rows).to(self._device), counts

    @torch.inference_mode()
    def _lists(self, numbers: np.ndarray) -> Lists:
        users, have_plays = torch.from_numpy(numbers), torch.from_numpy(self.have_plays(numbers))
        if not have_plays.any():
            return Lists(*(column.expand(len(users), -1) for column in self._popular))
        scores, counts = self.score(users[have_plays])
        shares = None if self._shares is None else self._shares.latest(users[have_plays])
        sums = scores.sums(counts, self.rules.popularity_weight)
        own = Lists.personal(choose(sums, counts, self.rules, shares), scores, counts)
        if own.score.isnan().any():  # which rank before all numbers
            raise UsageError("the model's scores are not numbers; its training has failed")
        return own.of_rows(have_plays, self._popular)

    def _popular_list(self, popularity: Tensor) -> Lists:
        scores = popularity.cpu().float().index_fill(0, torch.zeros(1, dtype=torch.int64), -torch.inf)
        items = top_items(scores.unsqueeze(0), self.rules.topk)
        return Lists.popular(items, scores[items])

    def _load(self, checkpoint: str | os.PathLike[str], properties: dict[str, Any]) -> Prepared:
        """Load a model, with the log of its training where that is needed."""
        if self.files and not self.rules.calibrated:  # everybody's share of new plays is that of the log
            experiment = load_without_log(checkpoint, properties)
            if experiment is not None:
                return experiment
        return load_data_and_model(checkpoint, properties, log=False)

    def _explore_shares(self, of_everybody: PlayHistory | None) -> ExploreShares:
        """Shares of new plays; everybody's is that of the data set, as a new history may be one user's."""
        latest: PlayHistory = self.dataset.history
        everybody = ExploreShares.of_everybody(latest if of_everybody is None else of_everybody).everybody
        return ExploreShares.of(latest, everybody)

    def _replace_history(self, history: Any, listeners: Listeners) -> None:
        self.dataset.replace_history(history)
        if hasattr(self._model, "history"):
            self._model.history = history
        if self._trained_on is not None:
            logger.warning(
                "%s knows users by the plays it was trained on; those of the new file change no score",
                type(self._model).__name__,
            )
        self.listeners = listeners

    def _rough_table(self, precision: str) -> RoughTable | None:
        if precision == FLOAT32:
            return None
        if not has_table(self._model):
            raise UsageError(
                f"precision is [{precision}], but {type(self._model).__name__} here does not score by a "
                f"product with a table; PopSASRec, PopGSASRec and PopBERT4Rec do, without replay or countnet"
            )
        return RoughTable(self._model)

    def _check(self) -> None:
        model = type(self._model).__name__
        if not isinstance(self.dataset, HistoryDataset):
            raise UsageError(
                f"{model} was trained with a data set class of RecBole's own, which keeps no histories; "
                f"general models make lists once trained under split GTS, or LS and order: TO"
            )
        if self.rules.topk > self.dataset.item_num - 1:
            raise UsageError(
                f"topk is [{self.rules.topk}], but the catalogue has {self.dataset.item_num - 1} items"
            )
        if self.rules.popularity_weight != 1 and getattr(self._model, "popularity_head", None) is None:
            raise UsageError(
                f"{model} here has no popularity head, so a popularity weight of "
                f"[{self.rules.popularity_weight}] would change nothing"
            )


def _properties(options: Options) -> dict[str, Any]:
    """Properties that replace the checkpoint's."""
    properties: dict[str, Any] = {"show_progress": False}
    if options.data_path is not None:
        properties["data_path"] = os.fspath(options.data_path)
    if options.device is not None:
        match = re.fullmatch(r"cpu|cuda(?::(\d+))?", options.device)
        if not match:
            raise UsageError(f"device is [{options.device}], but must be cpu, cuda or cuda:N")
        if options.device != "cpu" and not torch.cuda.is_available():
            raise UsageError(f"device is [{options.device}], but there is no GPU that PyTorch can use")
        properties["gpu_id"] = "" if options.device == "cpu" else match[1] or "0"
    return properties
