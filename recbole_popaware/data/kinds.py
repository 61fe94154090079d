"""RecBole's data sets, read by our reader: for models not sequential, or with a class of their own."""

from __future__ import annotations

import functools
from logging import getLogger
from typing import Any

import recbole.data.dataset
from recbole.data.dataset import Dataset, KnowledgeBasedDataset
from recbole.utils import FeatureSource, ModelType

from recbole_popaware.data.atomic import AtomicFiles
from recbole_popaware.errors import UsageError

logger = getLogger(__name__)

_COLUMNS = "load_col: {inter: [...], kg: [head_id, relation_id, tail_id], link: [item_id, entity_id]}"


class KnowledgeFiles(AtomicFiles, KnowledgeBasedDataset):
    """A base before RecBole's data sets with a knowledge graph; says what it needs and what it leaves out."""

    def _load_feat(self, filepath: str, source: FeatureSource | str) -> Any:
        frame = super()._load_feat(filepath, source)
        if source not in (FeatureSource.KG, "link"):
            return frame
        if frame is None:
            raise UsageError(
                f"{self.config['model']} needs {filepath}, which load_col leaves out; say {_COLUMNS}"
            )
        complete = frame.dropna()
        if len(complete) < len(frame):
            logger.warning(
                "%s: %d rows with an empty field are left out", filepath, len(frame) - len(complete)
            )
        return complete.reset_index(drop=True)

    def _filter_link(self) -> None:
        before = len(self.inter_feat)
        super()._filter_link()
        if self.kg_feat.empty or self.inter_feat.empty:  # stock looks before it filters by the graph
            raise ValueError("no triple, or no play of an item that the graph has, is left")
        if len(self.inter_feat) < before:
            self._log_left_out(before - len(self.inter_feat), "of items that no row of the .link file links")


def stock_class(config: Any) -> Any:
    """The class that RecBole uses for a model: one named after it, or that of its kind."""
    own = getattr(recbole.data.dataset, config["model"] + "Dataset", None)
    of_knowledge = config["MODEL_TYPE"] == ModelType.KNOWLEDGE
    return own or (KnowledgeBasedDataset if of_knowledge else Dataset)


@functools.cache
def reading_class(stock: Any) -> type[Any]:
    """A class of RecBole's with :class:`~.atomic.AtomicFiles` before it."""
    base = KnowledgeFiles if issubclass(stock, KnowledgeBasedDataset) else AtomicFiles
    return type(stock.__name__, (base, stock), {})


def check_labels(config: Any, dataset: Any) -> None:
    """Check that there are labels where rows are taken as they are, without negatives that are drawn.

    Raises:
        UsageError: If there are none.
    """
    label = config["LABEL_FIELD"]
    if label in dataset.field2type:
        return
    labeled = "labeled" in config["eval_args"]["mode"].values()
    trained = config["MODEL_TYPE"] == ModelType.CONTEXT
    if labeled or (trained and config["train_neg_sample_args"]["distribution"] == "none"):
        raise UsageError(
            f"{config['model']} needs labels, but data set [{config['dataset']}] has no field [{label}]; "
            f"make them of another field, such as threshold: {{rating: 3}}, or draw negatives with "
            f"train_neg_sample_args: {{distribution: uniform, sample_num: 1}} and mode: uni100 in eval_args"
        )
