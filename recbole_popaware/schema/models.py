"""What the properties of models, and those that this package adds to RecBole's, may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole_popaware.data.targets import TARGETS
from recbole_popaware.data.temporal_split import KEPT_USERS, TRAIN_UNTIL
from recbole_popaware.model.count_output import OUTPUTS
from recbole_popaware.model.heads import HEADS
from recbole_popaware.model.initialisation import INITIALIZERS
from recbole_popaware.model.negatives import DISTRIBUTIONS
from recbole_popaware.model.recency_head import LEARNABLE
from recbole_popaware.model.rows import DENSE
from recbole_popaware.optimisation import SCHEDULES
from recbole_popaware.replay.scorer import TERMS
from recbole_popaware.schema.checks import (
    ANYTHING,
    MOST_FACTOR,
    NAME,
    NAMES,
    PATH,
    SWITCH,
    TEXT,
    Check,
    either,
    is_number,
    list_of,
    number,
    one_of,
    optional,
    whole,
)
from recbole_popaware.tables import TABLE_OPTIMIZERS

TRAIN_TARGETS = ("all", "next", "requests")
TRAIN_WINDOWS = ("all", "one")
PROTOCOLS = ("corrected", "paper", "yambda")
ACTIVATIONS = ("gelu", "relu", "swish", "tanh", "sigmoid")

_FIELDS = (
    "HISTORY_END",
    "NEXT_ITEMS",
    "TARGET_ITEMS",
    "TARGET_GAINS",
    "REQUEST_TIME",
    "EXAMPLE",
    "TARGET_PLAYS",
)
_SHARE = number(0, below=1)
# float32 can represent the least, and its logarithm.
_EPSILON = Check(number(1e-30, 1e6).accepts, "a number above 0, from 1e-30 to 1e6")

TRANSFORMERS: dict[str, Check] = {
    "n_layers": whole(1, 200),
    "n_heads": whole(1, 1000),
    "hidden_size": whole(1, 100_000),
    "inner_size": whole(1, 1_000_000),
    "embedding_size": whole(1, 100_000),
    "hidden_dropout_prob": _SHARE,
    "attn_dropout_prob": _SHARE,
    "dropout_prob": number(0, 1),
    "hidden_act": one_of(ACTIVATIONS),
    "layer_norm_eps": number(most=1, above=0),
    "initializer_range": number(most=100, above=0),
    "mask_ratio": number(most=1, above=0),
    "ft_ratio": number(0, 1),
}

OURS: dict[str, Check] = {
    "popularity_head": one_of(HEADS),
    "pps_epsilon": _EPSILON,
    "pps_history": either(one_of(("window", "full")), whole(1)),
    "pps_learn": list_of(one_of(LEARNABLE), ", ".join(LEARNABLE), most=len(LEARNABLE)),
    "pps_decay": optional(number(0, 100)),
    "pps_offset": optional(number(0, 1e9)),
    "pps_age": one_of(("plays", "hours")),
    "pps_learning_rate": optional(number(most=MOST_FACTOR, above=0)),
    "learn_network_weight": SWITCH,
    "network_weights": list_of(number(0, 1e6), "at most 100 numbers from 0 to 1000000", most=100),
    "share_embeddings": SWITCH,
    "output": one_of(OUTPUTS),
    "train_targets": one_of(TRAIN_TARGETS),
    "train_horizon": whole(1, 1_000_000),
    "train_windows": one_of(TRAIN_WINDOWS),
    "epoch_batches": optional(whole(1)),
    "negatives": whole(1, 10**7),
    "negative_sampling": one_of(DISTRIBUTIONS),
    "shared_negatives": either(SWITCH, one_of(("window",))),
    "gbce_t": number(0, 1),
    "calibrated_start": SWITCH,
    "table_optimizer": one_of((DENSE, *TABLE_OPTIMIZERS)),
    "initializer": one_of(INITIALIZERS),
    "adam_betas": list_of(_SHARE, "two numbers from 0 to below 1", least=2, most=2),
    "warmup_steps": whole(0),
    "learning_rate_schedule": one_of(SCHEDULES),
    "mask_last": number(0, 1),
    "history_window": optional(whole(1)),
    "equal_counts": one_of(("newest", "oldest")),
    "popular_rest": SWITCH,
    "decay_hours": number(most=1e9, above=0),
    "basket_plays": whole(1),
    "basket_groups": whole(1),
    "within_decay": number(0, 1),
    "group_decay": number(0, 1),
    "own_share": number(0, 1),
    "n_neighbours": whole(1),
    "recent_baskets": optional(whole(1)),
    "locality": number(0, 1000),
    "asymmetry": number(0, 1),
    "replay_neighbours": whole(1, 100_000),
    "replay_requests": whole(8),
    "replay_hidden": whole(1, 1000),
    "replay_dropout": _SHARE,
    "replay_now": one_of(("last_play", "target")),
    "replay_terms": list_of(one_of(TERMS), ", ".join(TERMS), most=len(TERMS)),
    "window_fields": NAMES,
    "training_seconds": optional(number(most=1e9, above=0)),
    "lenient": SWITCH,
    "resume_from": optional(PATH),
    "extend_from": optional(PATH),
    "tensorboard_dir": optional(PATH),
    "protocol": one_of(PROTOCOLS),
    "kept_users": one_of(KEPT_USERS),
    "train_until": one_of(TRAIN_UNTIL),
    "valid_users": optional(whole(1)),
    "hold_out_last": SWITCH,
    "popularity_until": one_of(("train", "test")),
    "targets": one_of(TARGETS),
    "mask_history": SWITCH,
    "list_explore_share": optional(number(0, 1)),
    "list_calibrated": either(SWITCH, number(most=1, above=0)),
    "save_per_user": SWITCH,
    "novelty_epsilon": _EPSILON,
    **{f"{field}_FIELD": NAME for field in _FIELDS},
}


def like(default: Any) -> Check:
    """Accept values of the kind of a default, for properties of RecBole's other models."""
    if isinstance(default, bool):
        return SWITCH
    if isinstance(default, int):
        return either(number(-1e9, 1e9), SWITCH)  # RecBole writes weights such as 2.0 as 2, and switches as 1
    if isinstance(default, float):
        return number()
    if isinstance(default, str):  # FEARec's file says None and means text, which settings read as nothing
        return optional(TEXT) if default == "None" else TEXT
    if isinstance(default, list):
        numbers = bool(default) and all(map(is_number, default))
        return list_of(number(), "numbers") if numbers else list_of(ANYTHING, "values")
    if isinstance(default, Mapping):
        return Check(lambda x: isinstance(x, Mapping), "a table")
    return ANYTHING
