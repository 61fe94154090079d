"""Write a data set's folder: all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from dataset_converters.errors import ConversionError
from dataset_converters.schema import INTER_FIELDS
from dataset_converters.summary import describe_rating

SUFFIXES = (".inter", ".item", ".user", ".yaml", ".stats.json", ".rejects")
"""Files of a data set that a new conversion replaces."""

_OPTIONS = pa_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")

_PROPERTIES = """\
USER_ID_FIELD: user_id           # (str) Field of the user.
ITEM_ID_FIELD: item_id           # (str) Field of the item.
TIME_FIELD: timestamp            # (str) Field of the time, Unix seconds.
RATING_FIELD: rating             # (str) Field of the graded value of a play.
load_col:                        # (dict) Files and fields to read.
    inter: [user_id, item_id, timestamp, rating]
MAX_ITEM_LIST_LENGTH: {window:<10} # (int) Plays that a model sees, the last ones of a user.
"""


@contextmanager
def new_folder(out: Path, name: str, overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder to fill; it becomes ``out/name`` if the block ends without an error.

    Args:
        out: Folder of data sets, made if missing.
        name: Name of the data set.
        overwrite: Whether files of an earlier conversion may be replaced.

    Yields:
        The folder to fill.

    Raises:
        ConversionError: ``out/name`` already holds a data set, or a file is in the way.
    """
    target = out / name
    if out.exists() and not out.is_dir():
        raise ConversionError(f"{out} is a file; OUT must be a folder, which is made if missing")
    if target.exists() and not target.is_dir():
        raise ConversionError(f"{target} exists and is not a folder; choose another --name")
    if (target / f"{name}.inter").exists() and not overwrite:
        raise ConversionError(f"{target} holds a data set already; give --overwrite or --name")
    partial = out / f".{name}.{os.getpid()}.partial"
    partial.mkdir(parents=True)
    try:
        yield partial
        target.mkdir(exist_ok=True)
        for suffix in SUFFIXES:
            written, final = partial / f"{name}{suffix}", target / f"{name}{suffix}"
            if written.exists():
                written.replace(final)
            elif final.exists():
                final.unlink()  # it would describe other plays than the new .inter
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_inter(path: Path, texts: Iterable[pa.Buffer]) -> None:
    """Write the ``.inter`` file.

    Args:
        path: The file.
        texts: What ``inter_text`` makes, in the order to write.
    """
    with path.open("wb") as file:
        file.write(_header(INTER_FIELDS))
        for text in texts:
            file.write(text)


def inter_text(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the lines of a batch with the columns of ``schema.EVENTS``, ids already safe."""
    user, item, time_us, rating = batch.columns
    columns = [user, item, pc.divide(time_us, 1_000_000), _rating_texts(rating)]
    text = pa.BufferOutputStream()
    _write_rows(text, pa.table(columns, names=list(INTER_FIELDS)))
    return text.getvalue()


def write_features(path: Path, table: pa.Table) -> None:
    """Write a ``.item`` or ``.user`` file from strings in columns named ``field:type``."""
    with path.open("wb") as file:
        file.write(_header(table.column_names))
        _write_rows(file, table)


def write_properties(path: Path, window: int) -> None:
    """Write the property file that tells RecBole what the fields are.

    Args:
        path: The file.
        window: Plays that a model sees at once.
    """
    path.write_text(_PROPERTIES.format(window=window), encoding="utf-8")


def write_statistics(path: Path, statistics: dict[str, Any]) -> None:
    """Write the statistics as JSON."""
    text = json.dumps(statistics, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _header(fields: Iterable[str]) -> bytes:
    return ("\t".join(fields) + "\n").encode("utf-8")


def _write_rows(file: Any, table: pa.Table) -> None:
    pa_csv.write_csv(table, file, write_options=_OPTIONS)


def _rating_texts(ratings: pa.Array) -> pa.Array:
    encoded = ratings.dictionary_encode()
    texts = [describe_rating(rating) for rating in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
