"""The optional table of tracks that goes with nested parquet interactions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_converters.arrays import count_true
from dataset_converters.errors import ConversionError
from dataset_converters.ledger import Ledger


@dataclass(frozen=True)
class Tracks:
    """Names and features of tracks.

    Attributes:
        index: The distinct ``track_index`` values, int64.
        ids: The ``track_id`` of each, string.
        features: All columns, ``item_id`` first.
    """

    index: pa.Array
    ids: pa.Array
    features: pa.Table

    def ids_of(self, index: pa.Array) -> pa.Array:
        """Return the id of each track index, null where the table does not list it."""
        return self.ids.take(pc.index_in(index.cast(pa.int64()), value_set=self.index))


def read_tracks(path: Path, ledger: Ledger) -> Tracks | None:
    """Read ``tracks.parquet``; ``None`` if there is no such file.

    Rows without an index or an id cannot be joined and are left out; where an index stands twice
    the first row counts. Both are noted.

    Raises:
        ConversionError: It is unreadable, or lacks ``track_id`` or ``track_index``.
    """
    if not path.exists():
        ledger.note("file missing, tracks.parquet: items are named by their index", 1)
        return None
    schema = parquet_schema(path)
    for name, fits in (("track_id", _is_id), ("track_index", pa.types.is_integer)):
        if name not in schema.names or not fits(schema.field(name).type):
            found = ", ".join(f"{field.name!r} ({field.type})" for field in schema)
            raise ConversionError(
                f"{path.name} needs track_id (string or int) and track_index (int); it has {found}"
            )
    table = pq.read_table(path)
    index = table.column("track_index").cast(pa.int64()).combine_chunks()
    ids = table.column("track_id").cast(pa.string()).combine_chunks()
    usable = pc.and_(pc.is_valid(index), pc.greater(pc.fill_null(pc.binary_length(ids), 0), 0))
    ledger.note("rows of tracks.parquet without track_id or track_index", len(usable) - count_true(usable))
    table, index, ids = table.filter(usable), index.filter(usable), ids.filter(usable)
    features = table.drop(["track_id", "track_index"]).add_column(0, "item_id", ids)
    features = features.append_column("track_index", index.cast(pa.string()))
    ledger.note("rows repeating a track_index, first one used", len(index) - len(index.unique()))
    return Tracks(index, ids, features)


def parquet_schema(path: Path) -> pa.Schema:
    """Return the schema of a parquet file.

    Raises:
        ConversionError: There is no such file, or it is not parquet.
    """
    if not path.is_file():
        raise ConversionError(
            f"no file {path}; give the folder that holds interactions.parquet, or the file itself"
        )
    try:
        return pq.read_schema(path)
    except pa.ArrowException as error:
        raise ConversionError(f"{path} cannot be read as parquet: {error}") from None


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))
