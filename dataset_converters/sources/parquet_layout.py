"""Find users, track indexes, times and actions in the schema of a nested parquet file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
import pyarrow.types as pt

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.options import Option
from dataset_converters.common.readers import read_text
from dataset_converters.reading.column_types import is_id, is_list

_INDEX_NAMES = ("index", "track", "item", "song")
_ACTION_NAMES = ("action", "event", "kind", "type")


@dataclass(frozen=True)
class FieldOptions:
    """Names of columns and struct fields; ``None`` where types and names tell.

    Attributes:
        user_column: Column of the user.
        actions_column: Column of the list of actions.
        index_field: Struct field of the track's index.
        time_field: Struct field of the time.
        action_field: Struct field of the action.
    """

    user_column: Annotated[str | None, Option(read_text, "default: character_index")] = None
    actions_column: Annotated[str | None, Option(read_text, "default: the only list of structs")] = None
    index_field: Annotated[str | None, Option(read_text, "struct field of the track index")] = None
    time_field: Annotated[str | None, Option(read_text, "struct field of the time")] = None
    action_field: Annotated[str | None, Option(read_text, "struct field of the action")] = None


@dataclass(frozen=True)
class Layout:
    """What the columns and struct fields are called: two columns and three fields."""

    user: str
    actions: str
    index: str
    time: str
    action: str


def find_layout(file: str, schema: pa.Schema, options: FieldOptions) -> Layout:
    """Find the columns and struct fields, by type and, where types leave a choice, by name.

    Args:
        file: Name of the file, for the message.
        schema: Schema of the interactions.
        options: Names that the user has chosen.

    Returns:
        The complete layout.

    Raises:
        ConversionError: Something is missing, has the wrong type, or could be either of two fields.
    """
    try:
        return _find_layout(list(schema), options)
    except ConversionError as error:
        raise ConversionError(f"{file}: {error}") from None


def _find_layout(columns: list[pa.Field], options: FieldOptions) -> Layout:
    user = _named(columns, options.user_column or "character_index", "--user-column", "a column")
    if not is_id(user.type):
        raise ConversionError(f"user column {user.name!r} has type {user.type}: need int or string")
    actions = _pick(
        columns, _is_struct_list, options.actions_column, ("--actions-column", "a list of structs")
    )
    fields = list(actions.type.value_type)
    time = _pick(fields, pt.is_timestamp, options.time_field, ("--time-field", "a timestamp"))
    integers = [field for field in fields if pt.is_integer(field.type)]
    if len(integers) < 2:
        raise ConversionError(
            f"column {actions.name!r} needs two integer fields in its struct, a track index and "
            f"an action; it has {_listing(fields)}"
        )
    index, action = _index_and_action(integers, options)
    return Layout(user.name, actions.name, index, time.name, action)


def _index_and_action(integers: list[pa.Field], options: FieldOptions) -> tuple[str, str]:
    """Tell the track index from the action by option, else by name, else by elimination."""
    names = {field.name for field in integers}
    chosen = {"--index-field": options.index_field, "--action-field": options.action_field}
    for option, name in chosen.items():
        if name is not None:
            _named(integers, name, option, "an integer struct field")
    index = {options.index_field} if options.index_field else names - {options.action_field}
    action = {options.action_field} if options.action_field else names - {options.index_field}
    index = _containing(index, _INDEX_NAMES)
    action = _containing(action, _ACTION_NAMES)
    if len(index) == 1:
        action -= index
    if len(action) == 1:
        index -= action
    if len(index) != 1 or len(action) != 1 or index == action:
        raise ConversionError(
            f"cannot tell which field is the track index and which the action in "
            f"{_listing(integers)}; name them with --index-field and --action-field"
        )
    return str(index.pop()), str(action.pop())


def _containing(names: set[str | None], parts: tuple[str, ...]) -> set[str | None]:
    """Return the names that contain one of the parts, or all names if none does."""
    return {name for name in names if any(part in str(name).lower() for part in parts)} or names


def _pick(
    fields: list[pa.Field],
    fits: Callable[[pa.DataType], bool],
    name: str | None,
    wanted: tuple[str, str],
) -> pa.Field:
    """Return the only field of a type, or the one that the user named."""
    option, kind = wanted
    candidates = [field for field in fields if fits(field.type)]
    if name is not None:
        return _named(candidates, name, option, kind)
    if not candidates:
        raise ConversionError(f"need {kind}, found none in {_listing(fields)}")
    if len(candidates) > 1:
        raise ConversionError(f"need {kind}, found several: {_listing(candidates)}; name one with {option}")
    return candidates[0]


def _named(fields: list[pa.Field], name: str, option: str, kind: str) -> pa.Field:
    for field in fields:
        if field.name == name:
            return field
    raise ConversionError(
        f"{name!r} is not {kind} here; there is {_listing(fields)}; say which with {option}"
    )


def _is_struct_list(kind: pa.DataType) -> bool:
    return is_list(kind) and bool(pt.is_struct(kind.value_type))


def _listing(fields: list[pa.Field]) -> str:
    return ", ".join(f"{field.name!r} ({field.type})" for field in fields) or "nothing"
