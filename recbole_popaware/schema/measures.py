"""Which measures go together, with which evaluation, and which of them can pick the best epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole.evaluator.base_metric import TopkMetric
from recbole.evaluator.register import metric_types, metrics_dict
from recbole.utils import EvaluatorType

from recbole_popaware.data.protocol import GENERAL_TYPES, ranks_later_plays
from recbole_popaware.errors import UsageError
from recbole_popaware.evaluator.base import UserMeasure


def check_value_measures(settings: Mapping[str, Any]) -> None:
    """Check that no whole catalogue is ranked for measures that compare scores with labels.

    Args:
        settings: The properties before RecBole fills up ``eval_args``.

    Raises:
        UsageError: If one is.
    """
    names, mode = settings["metrics"], settings["eval_args"].get("mode", "full")
    names = [names] if isinstance(names, str) else names
    of_values = [name for name in names if metric_types.get(name.lower()) == EvaluatorType.VALUE]
    if of_values and "full" in (mode.values() if isinstance(mode, Mapping) else [mode]):
        raise UsageError(
            f"metrics {', '.join(of_values)} compare scores with labels, but eval_args say mode: full, "
            f"where the catalogue is ranked; say mode: labeled for rows with labels, or uni100 for drawn ones"
        )


def check_measures(settings: Mapping[str, Any]) -> None:
    """Check the measures, and the one that picks the best epoch.

    Args:
        settings: The properties as RecBole has completed them.

    Raises:
        UsageError: If they cannot work.
    """
    modes = set(settings["eval_args"]["mode"].values())
    classes = {name.lower(): metrics_dict[name.lower()] for name in settings["metrics"]}
    _check_valid_metric(settings, classes)
    if settings["eval_type"] == EvaluatorType.RANKING and "labeled" in modes:
        raise UsageError("mode labeled in eval_args is not for measures of ranked lists; say mode: full")
    ours = [m for m in settings["metrics"] if _needs_plays(classes[m.lower()])]
    if ours and settings["MODEL_TYPE"] in GENERAL_TYPES and not ranks_later_plays(settings):
        raise UsageError(
            f"{', '.join(ours)} need eval_args with split GTS, or LS and order: TO, for {settings['model']}"
        )
    if ours and modes != {"full"}:
        raise UsageError(f"{', '.join(ours)} need eval_args mode [full], where the whole catalogue is ranked")
    of_users = any(issubclass(measure, (TopkMetric, UserMeasure)) for measure in classes.values())
    if settings.get("save_per_user") and not of_users:
        raise UsageError(
            f"save_per_user needs a measure of ranked lists among metrics, which are {settings['metrics']}"
        )


def _check_valid_metric(settings: Mapping[str, Any], classes: Mapping[str, Any]) -> None:
    name, _, k = settings["valid_metric"].lower().partition("@")
    lists = [m for m, measure in classes.items() if _has_lengths(measure)]
    if name not in classes or k not in (map(str, settings["topk"]) if name in lists else [""]):
        of_lists = f"{', '.join(lists)} @ one of topk {settings['topk']}" if lists else ""
        others = ", ".join(m for m in classes if m not in lists)
        raise UsageError(
            f"valid_metric is [{settings['valid_metric']}], but must be one of metrics: "
            f"{' or '.join(filter(None, (others, of_lists)))}"
        )


def _has_lengths(measure: Any) -> bool:
    """Whether a measure has a value for each of ``topk``: those of lists, but not GAUC, of mean ranks."""
    return measure.metric_type == EvaluatorType.RANKING and "rec.meanrank" not in measure.metric_need


def _needs_plays(measure: Any) -> bool:
    """Whether a measure is one of ours, which ask the data set for plays of users or of items."""
    return issubclass(measure, UserMeasure) or "data.trained_items" in measure.metric_need
