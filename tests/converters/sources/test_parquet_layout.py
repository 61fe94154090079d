"""Columns and struct fields are found, asked for, or refused in one line."""

import pyarrow as pa
import pytest

from dataset_converters.common.errors import ConversionError
from dataset_converters.sources.parquet_layout import FieldOptions, Layout, find_layout

TIME = pa.timestamp("ms", "UTC")
INT = pa.int64()


def schema_of(struct: list, user: pa.DataType = INT, **more: pa.DataType) -> pa.Schema:
    fields = [("character_index", user), ("actions", pa.list_(pa.struct(struct))), *more.items()]
    return pa.schema(fields)


@pytest.mark.parametrize(
    ("index", "time", "action"),
    [
        ("track_index", "datetime", "action"),
        ("idx_track", "when", "event_type"),
        ("f0", "f1", "Action"),
        ("ITEM", "f1", "f2"),
        ("track", "item", "track_action"),
    ],
)
def test_fields_found_by_type_and_name(index: str, time: str, action: str) -> None:
    struct = [(action, pa.int8()), (time, TIME), (index, pa.uint32()), ("note", pa.string())]
    layout = find_layout("f", schema_of(struct), FieldOptions())
    assert layout == Layout("character_index", "actions", index, time, action)


def test_fields_without_telling_names_need_options() -> None:
    schema = schema_of([("a", pa.int64()), ("b", TIME), ("c", pa.int64())])
    with pytest.raises(ConversionError, match="--index-field and --action-field"):
        find_layout("f", schema, FieldOptions())
    for options in (FieldOptions(index_field="c"), FieldOptions(action_field="a")):
        layout = find_layout("f", schema, options)
        assert (layout.index, layout.action) == ("c", "a")


def test_options_win_over_names() -> None:
    struct = [("track_index", pa.int64()), ("action", pa.int64()), ("t", TIME), ("t2", TIME)]
    schema = schema_of(struct, who=pa.string(), other=pa.list_(pa.struct([("x", pa.int64())])))
    options = FieldOptions("who", "actions", "action", "t2", "track_index")
    assert find_layout("f", schema, options) == Layout("who", "actions", "action", "t2", "track_index")


GOOD = [("track_index", pa.int64()), ("time", TIME), ("action", pa.int64())]


@pytest.mark.parametrize(
    ("schema", "options", "message"),
    [
        (pa.schema([("user", pa.int64())]), {}, "'character_index' is not a column.*'user'"),
        (schema_of(GOOD, user=TIME), {}, "need int or string"),
        (pa.schema([("character_index", pa.int64())]), {}, "a list of structs, found none"),
        (schema_of(GOOD, more=pa.list_(pa.struct(GOOD))), {}, "several.*--actions-column"),
        (schema_of(GOOD[:2]), {}, "needs two integer fields"),
        (schema_of([GOOD[0], GOOD[2]]), {}, "a timestamp, found none"),
        (schema_of([*GOOD, ("t2", TIME)]), {}, "several.*--time-field"),
        (schema_of(GOOD), {"user_column": "nobody"}, "'nobody' is not a column.*--user-column"),
        (schema_of(GOOD), {"time_field": "action"}, "'action' is not a timestamp.*--time-field"),
        (schema_of(GOOD), {"index_field": "time"}, "'time' is not an integer.*--index-field"),
        (schema_of(GOOD), {"index_field": "action", "action_field": "action"}, "cannot tell"),
    ],
)
def test_refusals_say_what_is_there(schema: pa.Schema, options: dict, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        find_layout("f", schema, FieldOptions(**options))
