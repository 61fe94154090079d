"""Parquet files: their schema, their rows and their texts, with every message naming the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_converters.common.arrays import count_true, decode, is_utf8
from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.progress import Progress
from dataset_converters.reading.streams import is_there


@contextmanager
def naming(path: Path, as_what: str = "") -> Iterator[None]:
    """Turn what Arrow raises inside the block into an error that names the file.

    Args:
        path: The file.
        as_what: Goes behind "cannot be read" in the message.

    Raises:
        ConversionError: The file is no parquet, is damaged, or has values that do not fit.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a name that is not UTF-8
        raise ConversionError(f"{path} cannot be read{as_what}: {error}") from None


def parquet_schema(path: Path, advice: str = "") -> pa.Schema:
    """Return the schema of a parquet file.

    Args:
        path: The file.
        advice: What to say if it is missing.

    Raises:
        ConversionError: There is no such file, it is not parquet, or two columns have one name.
    """
    if not is_there(path):
        raise ConversionError(f"no file {path}{advice}")
    with naming(path, " as parquet"):
        schema = pq.read_schema(path)
        names = schema.names
    for name in names:
        if names.count(name) > 1:
            raise ConversionError(f"{path} has more than one column {name!r}")
    return schema


def read_rows(path: Path, columns: Sequence[str], rows: int, progress: Progress) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows in its order.

    Args:
        path: A parquet file.
        columns: Columns to read.
        rows: Size of a batch.
        progress: Updated with how much is read.

    Raises:
        ConversionError: The file is damaged.
    """
    done = 0
    # Buffers that are read ahead would stay until the end of the file.
    options = {"pre_buffer": False, "page_checksum_verification": True}
    with naming(path), pq.ParquetFile(path, **options) as file:
        total = file.metadata.num_rows
        for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
            done += batch.num_rows
            progress.done = done / max(total, done)
            yield batch
    if done != total:
        raise ConversionError(f"{path} is damaged: it should have {total:,} rows and has {done:,}")


def decode_rows(columns: dict[str, pa.Array], ledger: Ledger) -> dict[str, pa.Array]:
    """Return columns with plain strings for texts of any kind, less the rows that are not UTF-8.

    Parquet does not say how text is encoded, and Arrow does not look.

    Args:
        columns: What to call each column in a reason, and the column; all of one length.
        ledger: Counts the rows left out, under the first column at fault.
    """
    decoded = {name: decode(column) for name, column in columns.items()}
    good: pa.Array | None = None
    for name, column in decoded.items():
        valid = is_utf8(column)
        if valid is not None:
            fault = pc.invert(valid) if good is None else pc.and_not(good, valid)
            ledger.drop(f"{name} is not UTF-8", count_true(fault))
            good = valid if good is None else pc.and_(good, valid)
    return decoded if good is None else {name: column.filter(good) for name, column in decoded.items()}
