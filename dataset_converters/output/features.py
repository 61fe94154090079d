"""Features of items and users: from Arrow columns to RecBole fields."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dataset_converters.common.arrays import count_true, decode, is_utf8
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.tokens import escape_tokens
from dataset_converters.reading.column_types import is_list, is_text

# RecBole on pandas 3 cannot read an empty field as a list; a single space is a list of nothing.
_EMPTY_LIST = " "
_UNPLAYED = {"item": "items of the catalogue never played", "user": "users without plays"}


def match_features(table: pa.Table, tokens: pa.Array, kind: str, ledger: Ledger) -> pa.Table:
    """Prepare a ``.item`` or ``.user`` file: one row for each token of the ``.inter`` file, no other.

    RecBole counts every item of ``.item`` as part of the catalogue and drops plays of items that it
    lacks, so items never played are left out and items without features get empty fields.

    Args:
        table: Features, first column raw ids.
        tokens: Tokens of the items or users in the ``.inter`` file.
        kind: ``item`` or ``user``.
        ledger: Notes what is left out.

    Returns:
        Table of strings whose column names are RecBole's ``field:type``; rows in the order of
        ``table``, then tokens without features.
    """
    ids = escape_tokens(table.column(0).combine_chunks())
    played = pc.is_in(ids, value_set=tokens)
    ledger.note(f"{_UNPLAYED[kind]}, left out of .{kind}", len(ids) - count_true(played))
    table = table.set_column(0, "id", ids).filter(played)
    kept = _first_rows(table.column(0))
    ledger.note(f"{kind} rows repeating an id, first one kept", table.num_rows - len(kept))
    table = table.take(kept)
    known = table.column(0).combine_chunks()
    unknown = tokens.filter(pc.invert(pc.is_in(tokens, value_set=known)))
    ledger.note(f"{kind}s without features, written to .{kind} with empty fields", len(unknown))
    columns = {name: table.column(name) for name in table.column_names[1:]}
    ids = pa.concat_arrays([known, unknown])
    return feature_fields(ids, columns, kind, ledger)


def feature_fields(ids: pa.Array, columns: dict[str, pa.ChunkedArray], kind: str, ledger: Ledger) -> pa.Table:
    """Turn columns into RecBole fields.

    Args:
        ids: Tokens.
        columns: Features of the first of them; the others get empty fields.
        kind: ``item`` or ``user``.
        ledger: Notes columns that cannot be written.

    Returns:
        Table of strings.
    """
    fields = {f"{kind}_id:token": ids}
    for name, column in columns.items():
        whole = column.combine_chunks()
        readable, lost = _readable(whole)
        ledger.note(f"{kind} values that are not UTF-8, left out: {name}", lost)
        field = None if name == f"{kind}_id" else _to_field(name, readable, len(ids) - len(whole))
        if field is None:
            ledger.note(f"{kind} column left out, empty or of no RecBole type: {name}", 1)
        else:
            fields.update([field])
    return pa.table(fields)


def _readable(column: pa.Array) -> tuple[pa.Array, int]:
    """Return a column with plain strings, null where a text is not UTF-8, and how many are not."""
    if _is_any_list(column.type):
        values, lost = _readable(pc.list_flatten(column))
        return _like(column, values), lost
    column = decode(column)
    valid = is_utf8(column)
    if valid is None:
        return column, 0
    return pc.if_else(valid, column, pa.scalar(None, pa.string())), len(valid) - count_true(valid)


def _like(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Return lists of the same lengths with other values; null lists become empty."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, values)


def _to_field(name: str, column: pa.Array, padding: int) -> tuple[str, pa.Array] | None:
    """Return a column as ``field:type`` and strings, ``None`` if RecBole has no type for it."""
    kind = _recbole_type(column.type)
    if kind is None or column.null_count == len(column):
        return None
    texts = _list_texts(column, kind) if kind.endswith("_seq") else _texts(column, kind)
    empty = _EMPTY_LIST if kind.endswith("_seq") else ""
    filled = pa.concat_arrays([pc.fill_null(texts, empty), pa.repeat(empty, padding)])
    if pc.all(pc.equal(filled, empty)).as_py():
        return None
    safe_name = escape_tokens(pa.array([name]), in_list=True)[0].as_py().replace(":", "%3A")
    return f"{safe_name}:{kind}", filled


def _recbole_type(kind: pa.DataType) -> str | None:
    if _is_any_list(kind):
        inner = _recbole_type(kind.value_type)
        if pt.is_integer(kind.value_type) or inner == "token":
            return "token_seq"  # numbers in a list name things, as genres do
        return "float_seq" if inner == "float" else None
    if pt.is_dictionary(kind):
        return _recbole_type(kind.value_type)
    if is_text(kind) or pt.is_boolean(kind) or pt.is_date(kind):
        return "token"
    return "float" if pt.is_integer(kind) or pt.is_floating(kind) else None


def _is_any_list(kind: pa.DataType) -> bool:
    return is_list(kind) or bool(pt.is_fixed_size_list(kind))


def _texts(column: pa.Array, kind: str, in_list: bool = False) -> pa.Array:
    if kind == "token":
        return escape_tokens(column.cast(pa.string()), in_list)
    if pt.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return column.cast(pa.string())


def _list_texts(column: pa.Array, kind: str) -> pa.Array:
    values = _texts(pc.list_flatten(column), kind[: -len("_seq")], in_list=True)
    joined = pc.binary_join(_like(column, pc.fill_null(values, "")), " ")
    return pc.if_else(pc.equal(pc.utf8_trim(joined, " "), ""), _EMPTY_LIST, joined)


def _first_rows(ids: pa.ChunkedArray) -> pa.Array:
    """Return the row of the first appearance of each id, in order."""
    rows = pa.table({"id": ids, "row": np.arange(len(ids))})
    first = rows.group_by("id").aggregate([("row", "min")]).column("row_min")
    return pc.take(first.combine_chunks(), pc.array_sort_indices(first.combine_chunks()))
