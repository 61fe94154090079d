"""The optional table of tracks that goes with nested parquet interactions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_converters.common.arrays import as_texts, count_true, decode, is_blank, is_utf8
from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.reading.column_types import is_id
from dataset_converters.reading.parquet_files import naming, parquet_schema
from dataset_converters.reading.streams import is_there

_SPARSEST = 8  # numbers for each index, in a table by number


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
        index = index.cast(pa.int64())
        if self._row_of is None:
            return self.ids.take(pc.index_in(index, value_set=self.index))
        last = len(self._row_of) - 1
        known = pc.and_(pc.greater_equal(index, 0), pc.less(index, last))
        return self.ids.take(self._row_of.take(pc.if_else(known, index, last)))

    @cached_property
    def _row_of(self) -> pa.Array | None:
        """Row of each index from 0, and a null behind; ``None`` if indices are not about as many numbers.

        ``index_in`` would build a table of all indices for every batch.
        """
        index = self.index.to_numpy()
        if not len(index) or index.min() < 0 or index.max() > _SPARSEST * len(index):
            return None
        rows = np.full(int(index.max()) + 2, -1)
        rows[index[::-1]] = np.arange(len(index) - 1, -1, -1)  # the first row of an index counts
        return pa.array(rows, mask=rows < 0)


def read_tracks(path: Path, ledger: Ledger) -> Tracks | None:
    """Read ``tracks.parquet``; ``None`` if there is no such file.

    Rows without an index or an id cannot be joined and are left out; where an index appears
    twice the first row counts. Both are noted.

    Raises:
        ConversionError: It is unreadable, or lacks ``track_id`` or ``track_index``.
    """
    if not is_there(path):
        ledger.note("file missing, tracks.parquet: items are named by their index", 1)
        return None
    schema = parquet_schema(path)
    for name, fits in (("track_id", _is_name), ("track_index", pa.types.is_integer)):
        if name not in schema.names or not fits(schema.field(name).type):
            there = ", ".join(f"{field.name!r} ({field.type})" for field in schema)
            raise ConversionError(
                f"{path.name} needs track_id (string or int) and track_index (int); it has {there}"
            )
    with naming(path):
        return _to_tracks(pq.read_table(path, page_checksum_verification=True), ledger)


def _to_tracks(table: pa.Table, ledger: Ledger) -> Tracks:
    index = table.column("track_index").cast(pa.int64()).combine_chunks()
    ids = decode(table.column("track_id").combine_chunks())
    valid = is_utf8(ids)
    if valid is not None:
        ledger.note("rows of tracks.parquet whose track_id is not UTF-8", len(ids) - count_true(valid))
        table, index, ids = table.filter(valid), index.filter(valid), ids.filter(valid)
    ids = as_texts(ids)
    usable = pc.and_not(pc.is_valid(index), is_blank(ids))
    ledger.note("rows of tracks.parquet without track_id or track_index", len(usable) - count_true(usable))
    table, index, ids = table.filter(usable), index.filter(usable), ids.filter(usable)
    features = table.drop(["track_id", "track_index"]).add_column(0, "item_id", ids)
    features = features.append_column("track_index", index.cast(pa.string()))
    ledger.note("rows repeating a track_index, first one used", len(index) - len(index.unique()))
    return Tracks(index, ids, features)


def _is_name(kind: pa.DataType) -> bool:
    return is_id(kind) and not pa.types.is_floating(kind)
