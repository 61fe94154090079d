"""Write the files of a data set."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.schema import INTER_FIELDS
from dataset_converters.output.summary import describe_rating
from recbole_popaware.plays.log_file import Fingerprint

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


def write_inter(path: Path, texts: Iterable[pa.Buffer]) -> Fingerprint:
    """Write the ``.inter`` file.

    Args:
        path: The file.
        texts: What ``inter_text`` makes, in the order to write.

    Returns:
        By what the file is known again.
    """
    digest, size = hashlib.sha256(), 0
    with opened(path) as file:
        for text in chain([pa.py_buffer(_header(INTER_FIELDS))], texts):
            file.write(text)
            digest.update(text)
            size += text.size
    return Fingerprint(size, digest.hexdigest())


def inter_text(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the lines of a batch with the columns of ``schema.EVENTS``, ids already safe."""
    user, item, time_us, rating = batch.columns
    columns = [user, item, pc.divide(time_us, 1_000_000), _rating_texts(rating)]
    text = pa.BufferOutputStream()
    _write_rows(text, pa.table(columns, names=list(INTER_FIELDS)))
    return text.getvalue()


def write_features(path: Path, table: pa.Table) -> None:
    """Write a ``.item`` or ``.user`` file from strings in columns named ``field:type``."""
    with opened(path) as file:
        file.write(_header(table.column_names))
        _write_rows(file, table)


def write_properties(path: Path, window: int) -> None:
    """Write the property file, from which RecBole learns what the fields are.

    Args:
        path: The file.
        window: Plays that a model sees at once.
    """
    with opened(path) as file:
        file.write(_PROPERTIES.format(window=window).encode("utf-8"))


def write_statistics(path: Path, statistics: dict[str, Any]) -> None:
    """Write the statistics as JSON."""
    text = json.dumps(statistics, indent=2, ensure_ascii=False)
    with opened(path) as file:  # a folder's name may be no UTF-8; JSON escapes the same way
        file.write(f"{text}\n".encode("utf-8", "backslashreplace"))


def write_rejects(path: Path, lines: IO[bytes]) -> None:
    """Write the lines that are no rows."""
    with opened(path) as file:
        shutil.copyfileobj(lines, file)


@contextmanager
def opened(path: Path, mode: Literal["wb", "ab"] = "wb") -> Iterator[IO[bytes]]:
    """Open a file to write to.

    Raises:
        ConversionError: It cannot be written, such as on a full disk.
    """
    with written(path), path.open(mode) as file:
        yield file


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Say which file cannot be written."""
    try:
        yield
    except OSError as error:  # of writing, which names no file
        raise ConversionError(f"{path} cannot be written: {error.strerror or error}") from None


def _header(fields: Iterable[str]) -> bytes:
    return ("\t".join(fields) + "\n").encode("utf-8")


def _write_rows(file: Any, table: pa.Table) -> None:
    pa_csv.write_csv(table, file, write_options=_OPTIONS)


def _rating_texts(ratings: pa.Array) -> pa.Array:
    encoded = ratings.dictionary_encode()
    texts = [describe_rating(rating) for rating in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)
