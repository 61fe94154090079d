"""Whether a network has collapsed: whether it sees all users alike."""

from __future__ import annotations

from logging import getLogger

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from recbole_popaware.curves import Sample

logger = getLogger(__name__)

COLLAPSED = 0.99  # sound networks are at 0.1 to 0.9 once they have settled, collapsed ones above 0.999
SETTLED = 300  # batches; many a sound network begins with all users alike
SAMPLED_USERS = 128


def mean_cosine(hidden: Tensor) -> float:
    """Mean cosine between the hidden states of different users.

    Over all pairs the cosines sum to the square of the summed unit vectors, less 1 for each with itself.

    Args:
        hidden: ``[B, H]``, a state for each of at least two users.
    """
    n = len(hidden)
    total = normalize(hidden.double(), dim=-1).sum(0)
    return float((total @ total - n) / (n * (n - 1)))


class CollapseWatch:
    """Measures a model at each validation, and warns of its collapse, once."""

    def __init__(self) -> None:
        self._warned = False

    @torch.no_grad()
    def __call__(self, sample: Sample) -> dict[str, float]:
        """Measure, and log.

        Args:
            sample: A batch, of which the first row of each user counts.

        Returns:
            Value of the curve ``hidden/mean_cosine``; none for models without ``last_hidden``.
        """
        model, interaction = sample.model, sample.interaction
        if not hasattr(model, "last_hidden"):
            return {}
        _, first = np.unique(interaction[model.USER_ID].cpu().numpy(), return_index=True)
        if len(first) < 2:
            return {}
        cosine = mean_cosine(model.last_hidden(interaction[np.sort(first)[:SAMPLED_USERS]]))
        logger.info("mean cosine of different users' hidden states: %.4f", cosine)
        if cosine > COLLAPSED and sample.steps >= SETTLED and not self._warned:
            self._warned = True
            logger.warning(
                "%s has collapsed after %d batches: different users' hidden states have a mean cosine of "
                "%.4f, so that it ranks alike for all; try calibrated_start: True (with BCE and gBCE), "
                "initializer: xavier or a lower learning_rate",
                type(model).__name__,
                sample.steps,
                cosine,
            )
        return {"hidden/mean_cosine": cosine}
