"""Whatever the value of a property is: the training runs, or there is one line that says what to do."""

from __future__ import annotations

import math
import random
import time
import traceback

import pytest
from helpers import SMALL, looping_plays, write_atomic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recbole_popaware import schema
from recbole_popaware.config import Config
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import run_recbole_popaware
from recbole_popaware.schema import memory, models, recbole
from recbole_popaware.schema.checks import is_storable

WORDS = (
    *(
        "",
        " ",
        "x",
        "../x",
        "/",
        "/proc/x",
        "a/b",
        "a\0b",
        "\udc80",
        "None",
        "none",
        "True",
        "false",
        "nan",
        "inf",
    ),
    *(
        "__import__('os')",
        "b'x'",
        "1j",
        "{1, 2}",
        "[",
        "(" * 300,
        "9" * 5000,
        "1e999",
        "lambda: 0",
        "*",
        "\t",
        ",",
    ),
    *(
        "user_id",
        "item_id",
        "timestamp",
        "rating",
        "class",
        "price",
        "tags",
        "vector",
        "item_id_list",
        "item",
    ),
    *(
        "utf-16",
        "latin-1",
        "idna",
        "hex",
        "undefined",
        "rot13",
        "[0,inf)",
        "(0,inf",
        "[1,1]",
        "(1,1)",
        "[3,1]",
    ),
    *(
        "[0,1];(2,3]",
        "[nan,1]",
        "NDCG@10",
        "NDCG@",
        "ndcg",
        "AUC",
        "Recall",
        "GradedNDCG",
        "sparse_adam",
        "debug",
    ),
    *recbole.LEARNERS,
    *recbole.TRANSFORMS,
    *models.ACTIVATIONS,
    *(
        "auto",
        "softmax",
        "sigmoid",
        "window",
        "full",
        "hours",
        "plays",
        "all",
        "next",
        "last",
        "paper",
        "first",
    ),
    *(
        "uniform",
        "log_uniform",
        "CE",
        "BPR",
        "BCE",
        "gBCE",
        "SampledCE",
        "alpha",
        "d",
        "eligible",
        "any",
        "test",
    ),
)
NUMBERS = (
    *(
        0,
        1,
        2,
        3,
        4,
        8,
        10,
        64,
        1000,
        100_000,
        10**7,
        10**8,
        10**9,
        2**31,
        2**32 - 1,
        2**63,
        10**30,
        -1,
        -(2**63),
    ),
    *(0.0, 0.5, 1.0, 1.5, 1e-300, 1e-30, 1e-12, 1e30, 1e38, 1e308, -0.5, math.nan, math.inf, -math.inf),
)
SCALARS = (None, True, False, *NUMBERS, *WORDS)
FIELDS = ("user_id", "item_id", "timestamp", "rating", "class", "price", "tags", "vector", "gone")
SHAPED = (
    *(
        [],
        {},
        [[]],
        [{}],
        [None],
        (),
        (1, 2),
        {1: 2},
        {None: 1},
        {"a": {"b": {"c": []}}},
        [1, "a"],
        b"x",
        {1, 2},
    ),
    *(
        [5, 10],
        [10, 10],
        [1],
        ["NDCG"],
        ["NDCG", "AUC"],
        ["AUC"],
        ["alpha", "d"],
        ["b"],
        [0.5, 0],
        [1e6],
        "0,1",
    ),
    *({"max_norm": 1}, {"max_norm": 1, "norm_type": math.inf}, {"max_norm": 1e-300}, {"norm_type": 2}),
    *({"distribution": "uniform", "dynamic": True}, {"sample_num": 3}, {"distribution": "popularity"}),
    *({"split": {kind: [0.8, 0.1, 0.1]}} for kind in ("RS", "TS", "GTS", "LS", "XX")),
    *({"split": {"LS": part}} for part in ("valid_and_test", "valid_only", "test_only", "both")),
    *(
        {"split": {"RS": shares}}
        for shares in ([1, 0, 1], [1e308, 1, 1], [1], [0, 0, 1], [1, 0, 0], "x", None)
    ),
    *(
        {"mode": mode}
        for mode in ("full", "uni5", "pop3", "labeled", "uni0", "uni999999", {"valid": "uni1"}, {})
    ),
    *(
        {"order": "RO"},
        {"order": "TO"},
        {"group_by": None},
        {"group_by": "item"},
        {"extra": 1},
        {"split": None},
    ),
    *({"split": {"GTS": [0.5, 0, 0.5]}, "order": "TO"}, {"split": {"GTS": [0.8, 0.1, 0.2]}}),
    *(
        {"inter": columns}
        for columns in (["user_id", "item_id", "timestamp"], ["user_id"], "*", [], None, "x")
    ),
    *(
        {"inter": ["user_id", "item_id", "timestamp"], "item": columns}
        for columns in ("*", ["item_id"], ["class"])
    ),
    *({"item": ["item_id"]}, {"inter": ["rating"]}, {"inter": ["timestamp"]}),
    *([field] for field in FIELDS),
    *({field: 2} for field in FIELDS),
    *({field: "[0,3]"} for field in FIELDS),
    *({field: ["i1", "i2", "u1", "u2"]} for field in FIELDS),
    *({field: {"method": "ED", "bucket": 3}} for field in FIELDS),
    *({"item_id": "vector"}, {"item_id": "price"}, {"item_id": "class"}, {"price": {"method": "LD"}}),
    *(["train", "valid", "test"], ["", "", ""], ["../a", "b", "c"], ["price", "vector"]),
)
ANY = st.recursive(
    st.sampled_from(SCALARS) | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.sampled_from(FIELDS) | st.integers(), inner, max_size=3)
        | st.tuples(inner)
    ),
    max_leaves=6,
)
VALUES = st.sampled_from(SCALARS) | st.sampled_from(SHAPED) | ANY
# Not known to the schema: properties of other models, and of none.
OTHERS = (
    "ssl_tau",
    "mlp_hidden_size",
    "reg_weights",
    "eta",
    "my_own",
    "time-aware",
    "",
    "a b",
    "pps_epsilom",
)
NAMES = (*schema.CHECKS, *OTHERS)
# Those start a group of processes, and these read and write pickles.
LEFT_OUT = {
    *recbole.PROCESS,
    "save_dataset",
    "save_dataloaders",
    "dataset_save_path",
    "dataloaders_save_path",
}


def one_line(error: UsageError) -> None:
    text = str(error)
    assert 10 < len(text) < 1000
    assert "\n" not in text.strip()


@settings(max_examples=1500, derandomize=True)
@given(st.sampled_from(NAMES), VALUES)
def test_a_value_passes_or_is_refused_in_one_line(name, value):
    try:
        schema.check_values({name: value})
    except UsageError as error:
        one_line(error)
    else:
        assert is_storable(value)


@settings(max_examples=250, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([name for name in NAMES if name not in LEFT_OUT]), VALUES, st.booleans())
def test_settings_are_read_or_refused_in_one_line(monkeypatch, name, value, as_word):
    argv = [f"--{name}={value}"] if as_word and str(value).isprintable() else []
    try:
        config = Config("PopSASRec", config_dict=None if argv else {name: value}, argv=argv)
    except UsageError as error:
        one_line(error)
    else:
        assert config["model"] != "SASRec"
        str(config)
        config.settings_as_text()


@pytest.mark.parametrize("key", [1, None, (1,), 2.5, True])
def test_keys_that_are_no_text_are_refused(key):
    with pytest.raises(UsageError, match="no text"):
        Config("PopSASRec", config_dict={key: 1}, argv=())


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A small data set with ratings and with features of items of every type."""
    plays = [(*play, 1 + play[2] % 3) for play in looping_plays()]
    file = write_atomic(tmp_path / "data", "toy", plays)
    rows = [f"i{n}\tc{n % 3}\t{n}.5\tt1 t{n}\t0.5 {n}" for n in range(15)]
    header = "item_id:token\tclass:token\tprice:float\ttags:token_seq\tvector:float_seq"
    file.with_suffix(".item").write_text("\n".join([header, *rows]) + "\n")
    monkeypatch.setattr(memory, "available_bytes", lambda device=None: 1 << 30)
    return {
        **SMALL,
        "data_path": str(tmp_path / "data"),
        "dataset": "toy",
        "load_col": {"inter": ["user_id", "item_id", "timestamp", "rating"], "item": "*"},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_interval": {"rating": ["1", "2"]}}, "the field's type is float"),
        ({"val_interval": {"class": "[0,3]"}}, "the field's type is token"),
        ({"val_interval": {"vector": "[0,3]"}}, "sequences are not filtered"),
        ({"val_interval": {"gone": "[0,3]"}}, "gone"),
        ({"numerical_features": ["class"]}, "the field's type is token;"),
        ({"numerical_features": ["price", "tags"]}, "the field's type is token_seq"),
        ({"load_col": {"item": ["item_id"]}}, "lacks the column"),
        ({"unused_col": {"inter": ["item_id"]}}, "unused_col"),
        ({"unused_col": {"gone": ["x"]}}, "unused_col"),
        ({"alias_of_item_id": ["gone"]}, "gone"),
        ({"normalize_field": ["gone"]}, "gone"),
        ({"topk": [10, 16]}, "15 items to rank"),
        ({"eval_args": {"mode": "uni99999"}}, "draws 99999 items"),
        ({"hidden_size": 20_000}, "lower one of them"),
        ({"MAX_ITEM_LIST_LENGTH": 100_000}, "lower one of them"),
        ({"negatives": 10**7, "loss_type": "BCE"}, "lower one of them"),
    ],
)
def test_what_does_not_fit_the_data_or_the_machine_is_reported(shop, changes, message):
    with pytest.raises(UsageError) as mistake:
        run_recbole_popaware("PopSASRec", config_dict={**shop, **changes})
    assert message in str(mistake.value)
    one_line(mistake.value)


def accepted(name: str) -> list:
    """Some hostile values that the schema lets pass, the same ones every time."""
    values = []
    for value in (*SCALARS, *SHAPED):
        try:
            schema.check_values({name: value})
        except UsageError:
            continue
        values.append(value)
    values = [value for value in values if not (name in ("epochs", "worker") and value > 2)]
    return random.Random(name).sample(values, min(len(values), 24))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in schema.CHECKS if name not in LEFT_OUT])
def test_a_training_runs_or_is_refused_in_one_line(shop, name):
    failures = []
    for value in accepted(name):
        started = time.perf_counter()
        try:
            run_recbole_popaware("PopSASRec", config_dict={**shop, name: value})
        except UsageError as error:
            one_line(error)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{value!r}: {error!r} at {where.filename}:{where.lineno}")
        if time.perf_counter() - started > 60:
            failures.append(f"{value!r} takes minutes")
    assert not failures


ACCEPTED = [(name, value) for name in schema.CHECKS if name not in LEFT_OUT for value in accepted(name)]


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(ACCEPTED), min_size=2, max_size=4, unique_by=lambda pair: pair[0]))
def test_several_odd_values_at_once(shop, pairs):
    try:
        run_recbole_popaware("PopSASRec", config_dict={**shop, **dict(pairs)})
    except UsageError as error:
        one_line(error)
