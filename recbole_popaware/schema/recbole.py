"""What the properties of RecBole itself may be: of the machine, of data, training and evaluation."""

from __future__ import annotations

from recbole.evaluator import metric_types
from recbole.utils import ModelType

from recbole_popaware.schema.checks import (
    ANYTHING,
    CHARACTER,
    ENCODING,
    FILE_NAME,
    INFINITY,
    INTERVAL,
    MOST_FACTOR,
    NAME,
    NAMES,
    PATH,
    SWITCH,
    TEXT,
    Check,
    any_case,
    either,
    list_of,
    number,
    one_of,
    optional,
    record,
    table_of,
    whole,
)

STATES = ("debug", "info", "warning", "error", "critical")
LEARNERS = ("adam", "adamw", "sgd", "adagrad", "rmsprop")  # sparse_adam needs gradients no model here has
TRANSFORMS = ("mask_itemseq", "inverse_itemseq", "crop_itemseq", "reorder_itemseq", "user_defined")
# Set by the program for one of several processes.
PROCESS = ("nproc", "world_size", "offset", "ip", "port", "local_rank")

_ROWS = whole(1, 10**7)  # of a batch; torch makes a list of that length beforehand
_DECIMALS = whole(0, 20)
_WEIGHT = number(0, MOST_FACTOR)
_GPUS = Check(
    lambda x: isinstance(x, str) and x.isascii() and x.isprintable(), "numbers of GPUs such as 0 or 0,1"
)
_KINDS = "of kinds of files and their columns, such as {inter: [user_id, item_id]}"
_COLUMNS = table_of(either(NAMES, one_of("*")), _KINDS)
_SOME_COLUMNS = table_of(NAMES, _KINDS)
_MEASURE = Check(
    lambda x: isinstance(x, str) and x.lower() in metric_types, "a measure that docs/evaluation.md names"
)

MACHINE: dict[str, Check] = {
    "gpu_id": either(whole(-1), _GPUS, list_of(whole(0), "numbers of GPUs", least=1)),
    "use_gpu": SWITCH,
    "worker": whole(0, 64),
    "seed": whole(0, 2**32 - 1),
    "state": optional(any_case(STATES)),
    "reproducibility": SWITCH,
    "data_path": PATH,
    "checkpoint_dir": PATH,
    "show_progress": SWITCH,
    "save_dataset": SWITCH,
    "save_dataloaders": SWITCH,
    "dataset_save_path": optional(PATH),
    "dataloaders_save_path": optional(PATH),
    "log_wandb": SWITCH,
    "wandb_project": TEXT,
    "model": either(NAME, Check(lambda x: isinstance(x, type), "a class")),
    "dataset": FILE_NAME,
    "MODEL_TYPE": Check(lambda x: isinstance(x, ModelType), "left to the model, which sets it"),
    "nproc": whole(1, 10_000),
    "world_size": whole(1, 10_000),
    "offset": whole(0, 10_000),
    "local_rank": whole(0, 10_000),
    "port": whole(1, 65_535),
    "ip": NAME,
}

DATA: dict[str, Check] = {
    "field_separator": CHARACTER,
    "seq_separator": Check(lambda x: TEXT.accepts(x) and x != "", "text of at least one character"),
    "encoding": optional(ENCODING),
    "seq_len": optional(table_of(whole(1), "of fields and their longest sequence")),
    "threshold": optional(table_of(number(), "of one field and the least value of a label 1", most=1)),
    "numerical_features": NAMES,
    "load_col": optional(_COLUMNS),
    "unload_col": optional(_SOME_COLUMNS),
    "unused_col": optional(_SOME_COLUMNS),
    "additional_feat_suffix": optional(either(FILE_NAME, list_of(FILE_NAME, "suffixes of files"))),
    "rm_dup_inter": optional(one_of(("first", "last"))),
    "val_interval": optional(
        table_of(
            either(INTERVAL, list_of(TEXT, "tokens, as text", least=1)),
            "of fields and what to keep: an interval such as '[0,3];(5,inf)' of numbers, or a list of "
            "tokens, as text, such as ['a', 'b']",
        )
    ),
    "filter_inter_by_user_or_item": SWITCH,
    "user_inter_num_interval": optional(INTERVAL),
    "item_inter_num_interval": optional(INTERVAL),
    "entity_kg_num_interval": optional(INTERVAL),
    "relation_kg_num_interval": optional(INTERVAL),
    **{f"alias_of_{kind}_id": optional(NAMES) for kind in ("user", "item", "entity", "relation")},
    "preload_weight": optional(table_of(NAME, "of a field of ids and the field of their vectors")),
    "normalize_field": optional(NAMES),
    "normalize_all": optional(SWITCH),
    "discretization": optional(
        table_of(
            record({"method": one_of(("ED", "LD"))}, bucket=whole(1, 10**6)),
            "of fields and what becomes of them, such as {age: {method: ED, bucket: 10}}",
        )
    ),
    "benchmark_filename": optional(
        list_of(FILE_NAME, "three names of parts, such as [train, valid, test], or two", least=2, most=3)
    ),
    "kg_reverse_r": SWITCH,
    "MAX_ITEM_LIST_LENGTH": whole(1, 100_000),
    "LIST_SUFFIX": NAME,
    "NEG_PREFIX": NAME,
    **{
        f"{field}_FIELD": NAME
        for field in (
            *("USER_ID", "ITEM_ID", "RATING", "TIME", "LABEL", "ITEM_LIST_LENGTH", "POSITION"),
            *("HEAD_ENTITY_ID", "TAIL_ENTITY_ID", "RELATION_ID", "ENTITY_ID"),
        )
    },
}

TRAINING: dict[str, Check] = {
    "epochs": whole(0),
    "eval_step": whole(0),
    "stopping_step": whole(0),
    "train_batch_size": _ROWS,
    "learner": any_case(LEARNERS),
    "learning_rate": number(most=MOST_FACTOR, above=0),
    "weight_decay": _WEIGHT,
    "clip_grad_norm": optional(
        record(
            {"max_norm": number(most=MOST_FACTOR, above=0)},
            norm_type=either(number(most=1000, above=0), one_of(("inf",)), INFINITY),
        )
    ),
    "loss_type": NAME,
    "loss_decimal_place": _DECIMALS,
    "require_pow": SWITCH,
    "enable_amp": SWITCH,
    "enable_scaler": SWITCH,
    "shuffle": SWITCH,
    "transform": optional(one_of(TRANSFORMS)),
    "train_neg_sample_args": optional(
        record(
            {},
            distribution=optional(one_of(("uniform", "popularity", "none", "None"))),
            sample_num=either(whole(1, 100_000), one_of(("none",))),
            alpha=either(number(0, 100), one_of(("none",))),
            dynamic=SWITCH,
            candidate_num=whole(0, 100_000),
        )
    ),
    "reg_weight": either(_WEIGHT, list_of(_WEIGHT, "such")),
}

EVALUATION: dict[str, Check] = {
    "eval_args": ANYTHING,  # see eval_args.py
    "repeatable": SWITCH,
    "metrics": either(_MEASURE, list_of(_MEASURE, "such", least=1)),
    "topk": either(whole(1), list_of(whole(1), "such", least=1)),
    "valid_metric": NAME,
    "valid_metric_bigger": SWITCH,
    "eval_batch_size": _ROWS,
    "metric_decimal_place": _DECIMALS,
    "tail_ratio": optional(number()),
}
