"""The Python interface, which the command line calls as well."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dataset_converters.common.errors import ConversionError, did_you_mean, shown
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import options_of, read_options
from dataset_converters.common.schema import check_name
from dataset_converters.common.source import Source
from dataset_converters.events.selection import Selection
from dataset_converters.pipeline import Output, convert_log
from dataset_converters.registry import find_source


@dataclass(frozen=True)
class Conversion:
    """A data set that has been written.

    Attributes:
        folder: The folder of its files, ``OUT/NAME``; for RecBole NAME is ``dataset`` and OUT ``data_path``.
        statistics: What ``NAME.stats.json`` says: users, items, plays, rows read and dropped, ...
    """

    folder: Path
    statistics: dict[str, Any]

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.folder.name


def convert(
    source: str,
    raw: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    overwrite: bool = False,
    window: int = 50,
    binary_only: bool = False,
    drop_duplicates: bool = False,
    since: str | date | None = None,
    until: str | date | None = None,
    users: int | None = None,
    seed: int | None = None,
    sample_items: int | None = None,
    sampling: str = "proportional",
    min_user_plays: int = 0,
    min_item_plays: int = 0,
    **options: object,
) -> Conversion:
    """Convert a raw listening log into a data set of RecBole atomic files.

    Arguments are checked as on the command line, ``python -m dataset_converters SOURCE --help``, and
    messages spell them as it does: ``min_user_plays`` is ``--min-user-plays``, ``since`` is ``--from``.
    ``None`` means the default. Either the whole data set is written or nothing.

    Args:
        source: Kind of the log: ``table`` for any CSV, TSV or parquet file, or ``parquet``, ``lastfm1k``,
            ``lfm1b``, ``listenbrainz``, ``music4all_onion``, ``yambda``, ``yandex``, ``simulate``.
        raw: The file or folder; ``None`` for ``simulate``, which reads nothing.
        out: Folder of data sets, made if missing.
        name: Name of the data set, the folder made in ``out``; by default that of ``raw``.
        overwrite: Whether an earlier conversion may be replaced.
        window: ``MAX_ITEM_LIST_LENGTH`` in the property file, the plays that a model sees.
        binary_only: Whether to write the binary form of the log only, and no ``.inter`` file.
        drop_duplicates: Whether to keep one of rows alike in all.
        since: First moment to keep, a date or date and time as text or object; UTC if it names no zone.
        until: First moment to leave out.
        users: Size of a random sample of the users; for ``simulate``, how many to make up.
        seed: Seed of the samples, 27 by default; for ``simulate``, of the log as well.
        sample_items: Size of a sample of the items.
        sampling: How to draw them: ``proportional`` (to their plays), ``popular`` or ``uniform``.
        min_user_plays: Users with fewer plays are left out.
        min_item_plays: Items with fewer plays are left out; with both, until both are true (k-core).
        **options: What only this source has, such as ``user``, ``item`` and ``time``, the columns of a
            ``table``; see docs/datasets.md.

    Returns:
        Where the data set is, and its statistics.

    Raises:
        ConversionError: An argument is wrong, the log cannot be used, or the data set cannot be
            written. The message says so in one line.
    """
    shared = {
        "name": name,
        "overwrite": overwrite,
        "window": window,
        "binary_only": binary_only,
        "drop_duplicates": drop_duplicates,
        "since": since,
        "until": until,
        "users": users,
        "seed": seed,
        "sample_items": sample_items,
        "sampling": sampling,
        "min_user_plays": min_user_plays,
        "min_item_plays": min_item_plays,
    }
    chosen = find_source(source)
    _check_names(source, chosen, options)
    values = {key: value for key, value in {**shared, **options}.items() if value is not None}
    own = read_options(chosen.options, values)
    output, selection = read_options(Output, values), _read_selection(values, own)
    with _conversion_errors(), Ledger() as ledger:
        path = _raw_path(source, chosen, raw)
        default = _stem(path) if chosen.raw else "demo"
        target = _path(out, "OUT") / check_name(default if output.name is None else output.name)
        statistics = convert_log(chosen.open(path, own, ledger), target, ledger, output, selection)
    return Conversion(target, statistics)


def _check_names(source: str, chosen: Source[Any], options: Mapping[str, object]) -> None:
    """Check that a source has all options that ``convert`` does not name itself."""
    own = options_of(chosen.options)
    known = [*own, *options_of(Selection), *options_of(Output)]
    for name in options:
        if name not in own:
            has = f"its own are {', '.join(own)}" if own else "it has none of its own"
            raise ConversionError(f"{source} has no option {name!r}{did_you_mean(name, known)}; {has}")


def _read_selection(values: Mapping[str, object], own: object) -> Selection:
    """Read what to keep from the values that are not the source's own; its seed is that of samples, too."""
    others = {name: value for name, value in values.items() if name not in vars(own)}
    seed = {"seed": own.seed} if hasattr(own, "seed") else {}
    return read_options(Selection, {**others, **seed})


def _raw_path(source: str, chosen: Source[Any], raw: str | os.PathLike[str] | None) -> Path:
    if raw is None:
        if chosen.raw:
            raise ConversionError(f"{source} needs RAW: {chosen.raw}")
        return Path()
    if not chosen.raw:
        raise ConversionError(f"{source} reads nothing: RAW must be None, not {shown(raw)}")
    return _path(raw, "RAW")


def _path(path: str | os.PathLike[str], what: str) -> Path:
    try:
        made = Path(path)
    except TypeError:
        raise ConversionError(f"{what} {shown(path)} is no path: need text or a pathlib.Path") from None
    if "\0" in str(made):
        raise ConversionError(f"{what} {shown(path)} is no path: it has a null character")
    return made


def _stem(raw: Path) -> str:
    """Return the folder's name, or the file's without its endings."""
    whole = Path(os.path.realpath(raw))  # which, unlike Path.resolve, bears links that go in circles
    return whole.name if whole.is_dir() else whole.name.split(".")[0]


@contextmanager
def _conversion_errors() -> Iterator[None]:
    """Turn what disks and libraries raise into ``ConversionError``."""
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (OSError, MemoryError, pa.ArrowException, duckdb.Error) as error:
        raise ConversionError(_describe(error)) from error


def _describe(error: BaseException) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or "not enough memory"
