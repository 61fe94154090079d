"""What properties must be together."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from recbole.utils import ModelType

from recbole_popaware.errors import UsageError
from recbole_popaware.model.rows import DENSE
from recbole_popaware.schema.recbole import PROCESS

# Fields of the data, and fields that are made beside them.
_FIELDS = (
    *("USER_ID_FIELD", "ITEM_ID_FIELD", "TIME_FIELD", "RATING_FIELD", "ITEM_LIST_LENGTH_FIELD"),
    *("HISTORY_END_FIELD", "NEXT_ITEMS_FIELD", "TARGET_ITEMS_FIELD", "TARGET_GAINS_FIELD"),
    *("TARGET_PLAYS_FIELD", "POSITION_FIELD", "LABEL_FIELD"),
)
_TRANSFORM_NEEDS = {"mask_itemseq": "mask_ratio", "crop_itemseq": "eta", "reorder_itemseq": "beta"}


def check_rules(settings: Mapping[str, Any]) -> None:
    """Check what depends on several properties, each of which is possible by itself.

    Raises:
        UsageError: If they do not fit together.
    """
    for rule in (
        _popularity_head,
        _training,
        _tables,
        _network,
        _fields,
        _data,
        _machine,
        _sequential,
        _split,
        _lists,
    ):
        rule(settings)


def check_processes(settings: Mapping[str, Any]) -> None:
    """Check that the properties of one of several processes are there together or not at all.

    Raises:
        UsageError: If some are missing.
    """
    there = [name for name in PROCESS if name in settings]
    if 0 < len(there) < len(PROCESS):
        raise UsageError(f"[{there[0]}] is set by the program for each of several processes; say --nproc=N")


def _popularity_head(settings: Mapping[str, Any]) -> None:
    if settings.get("pps_age") == "hours" and settings.get("pps_history") == "window":
        raise UsageError(
            "pps_age: hours needs pps_history: full, or a number of plays, since windows have no times"
        )
    if settings.get("popularity_head") == "replay" and settings.get("train_targets") != "all":
        raise UsageError(
            "popularity_head: replay needs train_targets: all, as PopSASRec, PopGSASRec and PopBERT4Rec have "
            "it; --model=PopOnly is the same head without a network"
        )
    if settings.get("output") == "countnet":
        if settings.get("popularity_head") == "replay":
            raise UsageError(
                "popularity_head: replay has weights of its own for played items; leave out output: countnet"
            )
        if settings.get("pps_history", "window") != "window":
            raise UsageError(
                f"output: countnet counts the plays of windows, where the network has states; "
                f"pps_history is [{settings['pps_history']}]: say --pps_history=window"
            )


def _training(settings: Mapping[str, Any]) -> None:
    if settings.get("resume_from") and settings.get("extend_from"):
        raise UsageError(
            "resume_from goes on with a training that has stopped, and extend_from begins one; leave one out"
        )
    transform = settings.get("transform")
    if settings.get("train_targets") == "all" and transform:
        raise UsageError(
            f"transform: {transform} changes windows, which have a target at every position; "
            f"say --train_targets=next"
        )
    needed = _TRANSFORM_NEEDS.get(transform or "")
    if needed and settings.get(needed) is None:
        raise UsageError(f"transform: {transform} needs {needed}, a number from 0 to 1")
    drawn = settings.get("train_neg_sample_args") or {}
    if drawn.get("dynamic") and not drawn.get("candidate_num"):
        raise UsageError("train_neg_sample_args with dynamic: True needs a candidate_num of at least 1")


def _tables(settings: Mapping[str, Any]) -> None:
    kind = settings.get("table_optimizer", DENSE)
    if kind == DENSE:
        return
    if settings.get("loss_type") == "CE":
        raise UsageError(
            f"table_optimizer: {kind} moves the rows of drawn items, but loss_type: CE scores every item and "
            f"so moves every row; say --loss_type=SampledCE, BPR, BCE or gBCE, or --table_optimizer={DENSE}"
        )
    if settings.get("output") == "countnet":
        raise UsageError(f"output: countnet reads whole tables; say --table_optimizer={DENSE}")
    if settings.get("weight_decay"):
        raise UsageError(
            f"weight_decay: {settings['weight_decay']} moves every row of the item tables, which "
            f"table_optimizer: {kind} does not; say --weight_decay=0, or --table_optimizer={DENSE}"
        )


def _network(settings: Mapping[str, Any]) -> None:
    hidden, heads = settings.get("hidden_size"), settings.get("n_heads")
    if hidden is not None and heads is not None and hidden % heads:
        raise UsageError(f"n_heads is [{heads}], but must divide hidden_size, which is [{hidden}]")


def _fields(settings: Mapping[str, Any]) -> None:
    taken: dict[str, str] = {}
    for name in _FIELDS:
        field = settings.get(name)
        if field is not None and field in taken:
            raise UsageError(f"{name} and {taken[field]} both name the field [{field}]; rename one")
        if field is not None:
            taken[field] = name


def _data(settings: Mapping[str, Any]) -> None:
    load, unload = settings.get("load_col") or {}, settings.get("unload_col") or {}
    both = sorted(load.keys() & unload.keys())
    if both:
        raise UsageError(f"load_col and unload_col both have [{both[0]}]; say which columns in one of them")
    if settings.get("normalize_field") and settings.get("normalize_all"):
        raise UsageError("normalize_field and normalize_all cannot both be set; leave one empty")
    filters = [name for name in ("val_interval", "rm_dup_inter") if settings.get(name)]
    if filters and settings.get("benchmark_filename"):
        raise UsageError(f"{filters[0]} does not filter files that are split already (benchmark_filename)")
    stray = sorted(set(settings.get("discretization") or ()) - set(settings.get("numerical_features") or ()))
    if stray:
        raise UsageError(f"discretization names [{stray[0]}], which numerical_features do not")


def _machine(settings: Mapping[str, Any]) -> None:
    if settings.get("log_wandb") and importlib.util.find_spec("wandb") is None:
        raise UsageError("log_wandb needs the package wandb, which is not installed; say --log_wandb=False")


def _sequential(settings: Mapping[str, Any]) -> None:
    if settings.get("MODEL_TYPE") != ModelType.SEQUENTIAL:
        return
    eval_args = settings.get("eval_args") or {}
    if eval_args.get("order") == "RO":
        raise UsageError(
            "order in eval_args is [RO], but sequential models need plays by time: say order: TO"
        )
    for name in ("TIME_FIELD", "RATING_FIELD"):
        if settings.get(name) in (settings.get("numerical_features") or ()):
            raise UsageError(f"numerical_features name [{settings[name]}], the {name}; name features only")


def _split(settings: Mapping[str, Any]) -> None:
    eval_args = settings.get("eval_args") or {}
    if "GTS" not in (eval_args.get("split") or ()):
        for name, needless in (("mask_history", False), ("protocol", "corrected")):
            if settings.get(name, needless) != needless:
                raise UsageError(
                    f"{name}: {settings[name]} needs eval_args with split: {{GTS: [0.8, 0.1, 0.1]}}"
                )
        return
    if eval_args.get("order", "TO") != "TO":
        raise UsageError(f"order is [{eval_args['order']}], but GTS splits by time: say order: TO")
    mode = eval_args.get("mode", "full")
    if any(m != "full" for m in (mode.values() if isinstance(mode, Mapping) else [mode])):
        raise UsageError(f"mode is [{mode}], but under GTS users are ranked over all items: say mode: full")


def _lists(settings: Mapping[str, Any]) -> None:
    shares = {
        name: settings[name] for name in ("list_explore_share", "list_calibrated") if settings.get(name)
    }
    if len(shares) == 2:
        raise UsageError(
            f"list_calibrated: {shares['list_calibrated']} gives each user's lists a share of their own of "
            f"new items, and list_explore_share all lists the same; leave one out"
        )
    for name, value in shares.items():
        if settings.get("mask_history"):
            raise UsageError(
                f"{name}: {value} mixes new and played items, but mask_history ranks new ones only"
            )
