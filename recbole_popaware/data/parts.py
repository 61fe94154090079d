"""The parts of a data set under the global temporal split (GTS)."""

from __future__ import annotations

from collections.abc import Mapping
from logging import getLogger
from typing import Any

import torch
from recbole.data.interaction import Interaction

from recbole_popaware.data.evaluation import EvaluationRules, evaluation_rows
from recbole_popaware.data.temporal_split import (
    TEST,
    VALID,
    Borders,
    SplitRules,
    TemporalSplit,
    split_by_time,
)
from recbole_popaware.plays.columns import count_items
from recbole_popaware.plays.ordered import PlayLog

logger = getLogger(__name__)


def split_at_borders(dataset: Any, log: PlayLog) -> list[Any]:
    """Split at borders in time: a training part, then two with one row per evaluated user.

    Args:
        dataset: A :class:`~.dataset.HistoryDataset` with a row for every play that has a history.
        log: All its plays, negative ones too.

    Returns:
        Its training, validation and test part.
    """
    config, rules = dataset.config, _split_rules(dataset.config)
    split = split_by_time(log, rules, dataset.field2id_token[dataset.uid_field])
    logger.info("GTS: validation from time %s, test from time %s", *split.borders)

    history = dataset.history
    begin = history.starts[:-1]
    trained_until = begin + torch.from_numpy(split.trained)
    train = dataset.training_part(trained_until)
    train.trained_until = train.counted_until = trained_until
    if config["popularity_until"] == "test":
        train.counted_until = begin + torch.from_numpy(split.known)
    train.training_plays = count_items(history.items, begin, train.counted_until, dataset.item_num)
    logger.info("GTS training: %d rows of %d plays", len(train.inter_feat), split.trained.sum())

    of_targets = EvaluationRules(rules, config["targets"], bool(config["mask_history"]))
    return [train, *(_evaluation_part(dataset, log, split, part, of_targets) for part in (VALID, TEST))]


def _split_rules(config: Any) -> SplitRules:
    how = config["eval_args"]["split"]["GTS"]
    cut: dict[str, Any] = {"shares": tuple(how)}
    if isinstance(how, Mapping):
        test, valid, gap = (how.get(key, 0) for key in ("test", "valid", "gap"))
        cut = {"borders": Borders(test - gap - valid if valid else test, test), "gap": gap}
    return SplitRules(
        **cut,
        kept_users=config["kept_users"],
        train_until=config["train_until"],
        valid_users=config["valid_users"],
        hold_out_last=config["hold_out_last"],
    )


def _evaluation_part(
    dataset: Any, log: PlayLog, split: TemporalSplit, part: int, rules: EvaluationRules
) -> Any:
    chosen = evaluation_rows(log, split, part, rules)
    logger.info(
        "GTS %s: %d users with %d targets; left out: %s",
        "validation" if part == VALID else "test",
        len(chosen.users),
        len(chosen.targets.items),
        ", ".join(f"{count} users {reason}" for reason, count in chosen.left_out.items()) or "nobody",
    )
    rows = {
        dataset.uid_field: torch.from_numpy(chosen.users),
        dataset.iid_field: chosen.targets.items[chosen.targets.starts[:-1]],  # the next one
        dataset.end_field: torch.from_numpy(chosen.ends),
        dataset.config["TARGET_PLAYS_FIELD"]: torch.from_numpy(chosen.target_plays),
    }
    if dataset.history.times is not None:
        border = split.borders.valid if part == VALID else split.borders.test
        rows[dataset.config["REQUEST_TIME_FIELD"]] = torch.full((len(chosen.users),), border).double()
    built = dataset.copy(Interaction(rows))
    built.targets = chosen.targets
    return built
