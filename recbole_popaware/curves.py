"""What TensorBoard shows of a validation beyond RecBole's score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recbole_popaware.tensorboard import Writer

SAMPLED_USERS = 128  # rows of the first validation batch whose scores are averaged


class Sample(NamedTuple):
    """A batch of a validation for probes to look at; all on the model's device.

    Attributes:
        model: Any model, in evaluation mode.
        interaction: B rows.
        rows: ``[T]`` row of each target.
        items: ``[T]`` item of each target; no pair of row and item twice.
        steps: How many batches the model has learned.
    """

    model: Any
    interaction: Any
    rows: Tensor
    items: Tensor
    steps: int


class ValidationCurves:
    """Writes a trainer's validations to TensorBoard: every measure (``valid/ndcg_at_10``), and probes.

    Args:
        writer: Where the curves go.
        probes: Each gives values by tag for a validation's first batch, such as :func:`score_curves`.
    """

    def __init__(self, writer: Writer, probes: Sequence[Callable[[Sample], dict[str, float]]]) -> None:
        self._writer = writer
        self._probes = probes
        self._values: dict[str, float] = {}
        self.wants_sample = False  # from the start of a validation to its first batch

    def start(self) -> None:
        """Begin a validation, or several whose first one is shown."""
        self.wants_sample, self._values = True, {}

    def take(self, sample: Sample) -> None:
        """Probe the first batch."""
        self.wants_sample = False
        for probe in self._probes:
            self._values.update(probe(sample))

    def finish(self, epoch: int, result: Mapping[str, float]) -> None:
        """Write the curves' values at an epoch, with all measures of the validation."""
        self.wants_sample = False  # a validation on sampled items has no full batch
        measures = {f"valid/{name.replace('@', '_at_')}": value for name, value in result.items()}
        for tag, value in {**measures, **self._values}.items():
            self._writer.add_scalar(tag, value, epoch)


def mean_scores(scores: Tensor, rows: Tensor, items: Tensor) -> dict[str, float]:
    """Average the scores of targets and those of all other items, padding aside.

    Args:
        scores: ``[B, n_items]``.
        rows: ``[T]`` row of each target.
        items: ``[T]`` item of each target; no pair of row and item twice.

    Returns:
        The two means, ``targets`` and ``others``.
    """
    of_targets = scores[rows, items].double().sum().item()
    of_all = scores[:, 1:].double().sum().item()
    n_others = scores[:, 1:].numel() - len(items)
    return {"targets": of_targets / max(len(items), 1), "others": (of_all - of_targets) / max(n_others, 1)}


@torch.no_grad()
def score_curves(sample: Sample) -> dict[str, float]:
    """Average a model's two sources of scores over the first users of a batch.

    The published program of arXiv 2409.04329 logs the same means; they show which source ranks.

    Args:
        sample: The batch; models without a popularity head have no such curves.

    Returns:
        Value of each curve, by its tag, such as ``scores/network/targets``.
    """
    model, interaction = sample.model, sample.interaction[:SAMPLED_USERS]
    if getattr(model, "popularity_head", None) is None:
        return {}
    used = sample.rows < SAMPLED_USERS
    rows, items = sample.rows[used], sample.items[used]
    sources = {"network": model.network_scores, "popularity": model.popularity_scores}
    return {
        f"scores/{source}/{of}": mean
        for source, scores_of in sources.items()
        for of, mean in mean_scores(scores_of(interaction), rows, items).items()
    }


def mean_deviation(scores: Tensor) -> float:
    """Standard deviation of the entries of each row that are not 0, as a mean over the rows ``[B, N]``."""
    given, scores = scores != 0, scores.double()
    n = given.sum(1).clamp(min=1)
    apart = (scores - (scores.sum(1) / n).unsqueeze(1)).where(given, 0.0)
    return (apart.square().sum(1) / n).sqrt().mean().item()


@torch.no_grad()
def term_curves(sample: Sample) -> dict[str, float]:
    """Measure how far each term of a model's scores moves items apart, for the first users of a batch.

    Args:
        sample: The batch; models without ``term_scores`` have no such curves.

    Returns:
        Deviation of what a term gives to the items that get something from it, in the unit of scores, by its
        tag, such as ``terms/order``: 0 for a term that says the same of all.
    """
    if not hasattr(sample.model, "term_scores"):
        return {}
    terms = sample.model.term_scores(sample.interaction[:SAMPLED_USERS])
    return {f"terms/{name}": mean_deviation(scores[:, 1:]) for name, scores in terms.items()}
