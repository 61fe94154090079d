"""Columns of any Arrow type become RecBole fields."""

import datetime

import pyarrow as pa
import pytest

from dataset_converters.common.ledger import Ledger
from dataset_converters.output.features import match_features


def features(columns: dict, items: list) -> tuple:
    ledger = Ledger()
    table = match_features(pa.table(columns), pa.array(items, pa.string()), "item", ledger)
    return table.to_pydict(), dict(ledger.notes)


@pytest.mark.parametrize(
    ("column", "field", "texts"),
    [
        (pa.array(["a b", None]), "f:token", ["a b", ""]),
        (pa.array(["NA", "x\ty"], pa.large_string()), "f:token", ["%4EA", "x%09y"]),
        (pa.array(["a", "b"]).dictionary_encode(), "f:token", ["a", "b"]),
        (pa.array([True, False]), "f:token", ["true", "false"]),
        (pa.array([datetime.date(2001, 2, 3), None]), "f:token", ["2001-02-03", ""]),
        (pa.array([3, None]), "f:float", ["3", ""]),
        (pa.array([0.5, float("nan")]), "f:float", ["0.5", ""]),
        (pa.array([[1, 2], None]), "f:token_seq", ["1 2", " "]),
        (pa.array([["hip hop", None, "b"], []]), "f:token_seq", ["hip%20hop  b", " "]),
        (pa.array([[1.5, 2.0], [3.25]]), "f:float_seq", ["1.5 2", "3.25"]),
        (pa.array([[1], [2]], pa.large_list(pa.int32())), "f:token_seq", ["1", "2"]),
    ],
)
def test_types(column: pa.Array, field: str, texts: list) -> None:
    table, notes = features({"item_id": ["i", "j"], "f": column}, ["i", "j"])
    assert table == {"item_id:token": ["i", "j"], field: texts}
    assert notes == {}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, None], pa.string()),
        pa.array(["", ""]),
        pa.array([[], []], pa.list_(pa.int64())),
        pa.array([{"a": 1}, {"a": 2}]),
        pa.nulls(2),
    ],
)
def test_useless_columns_are_left_out_and_noted(column: pa.Array) -> None:
    table, notes = features({"item_id": ["i", "j"], "f": column}, ["i", "j"])
    assert table == {"item_id:token": ["i", "j"]}
    assert notes == {"item column left out, empty or of no RecBole type: f": 1}


def test_rows_match_the_items_played() -> None:
    columns = {"item_id": ["i", "unplayed", "i", "j\t"], "a:b": [1, 2, 3, 4]}
    table, notes = features(columns, ["j%09", "unknown", "i"])
    assert table == {"item_id:token": ["i", "j%09", "unknown"], "a%3Ab:float": ["1", "4", ""]}
    assert notes == {
        "items of the catalogue never played, left out of .item": 1,
        "item rows repeating an id, first one kept": 1,
        "items without features, written to .item with empty fields": 1,
    }
