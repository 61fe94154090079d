"""The steps of every conversion: clean, select, order, count, write."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa

from dataset_converters.common.ahead import map_ahead
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import Option
from dataset_converters.common.progress import Progress, RowBar
from dataset_converters.common.readers import read_switch, read_text, whole_number
from dataset_converters.common.schema import EVENTS, RawLog
from dataset_converters.events.chunks import Plays, in_order
from dataset_converters.events.cleaning import END_US, clean_events
from dataset_converters.events.selection import Selection, select_events
from dataset_converters.events.store import EventStore
from dataset_converters.output.counts import Counts, GroupCounts, count_group
from dataset_converters.output.features import feature_fields, match_features
from dataset_converters.output.log import LogColumns
from dataset_converters.output.space import announce_room, check_room
from dataset_converters.output.summary import collect_statistics
from dataset_converters.output.workspace import SUFFIXES, new_folder
from dataset_converters.output.writer import (
    inter_text,
    write_features,
    write_inter,
    write_properties,
    write_rejects,
    write_statistics,
)

_DAY_US = 86_400_000_000
_ENOUGH = 4_000_000  # rows that tell how many there are in all, though a few more are read ahead


@dataclass(frozen=True)
class Output:
    """How to write.

    Attributes:
        name: Name of the data set; ``None``: after the raw log.
        overwrite: Whether an earlier conversion may be replaced.
        window: Plays that a model sees at once, for the property file.
        binary_only: Whether to leave out the text of the log, which only RecBole's own classes need.
    """

    name: Annotated[str | None, Option(read_text, "name of the data set, the folder made in OUT")] = None
    overwrite: Annotated[bool, Option(read_switch, "replace an earlier conversion")] = False
    window: Annotated[
        int,
        Option(whole_number(1), "MAX_ITEM_LIST_LENGTH in the property file, the plays a model sees"),
    ] = 50
    binary_only: Annotated[
        bool, Option(read_switch, "write the binary form of the log only, and no .inter file")
    ] = False


def convert_log(
    log: RawLog, target: Path, ledger: Ledger, output: Output, selection: Selection
) -> dict[str, Any]:
    """Write a raw log as a RecBole data set.

    Args:
        log: What a source has opened.
        target: The data set's folder, ``OUT/NAME``.
        ledger: The one that the source counts in.
        output: How to write.
        selection: Which events to keep.

    Returns:
        The statistics, as in ``NAME.stats.json``.

    Raises:
        ConversionError: The data is not usable, or the folder is taken. Nothing is written then.
    """
    with new_folder(target.parent, target.name, output.overwrite) as folder:
        work = folder / "work"
        work.mkdir()
        files = folder / target.name
        how = {"binary_only": output.binary_only, "selected": not selection.is_all}
        announce = partial(announce_room, target.parent, **how)
        with EventStore(_read(log, ledger, announce), work) as store:
            select_events(store, selection, ledger)
            ledger.balance(store.rows)
            _write_features(files, log, store, ledger)
            check_room(target.parent, store.rows, output.binary_only)
            counts = _write_log(files, store, log.newest_first, output.binary_only, work)
        statistics = collect_statistics(counts, ledger)
        write_properties(files.with_name(f"{target.name}.yaml"), output.window)
        write_statistics(files.with_name(f"{target.name}.stats.json"), statistics)
        if ledger.rejects is not None:
            write_rejects(files.with_name(f"{target.name}.rejects"), ledger.rejects)
    return statistics


def _read(log: RawLog, ledger: Ledger, announce: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    """Yield the usable events."""
    # A day of grace, for clocks that are set wrong.
    now_us = END_US if log.made_up else int(time.time() * 1_000_000) + _DAY_US
    for batch in _show_reading(log.batches, log.progress, announce):
        yield clean_events(batch, ledger, now_us)


def _write_features(files: Path, log: RawLog, store: EventStore, ledger: Ledger) -> None:
    if log.items is not None:
        items = match_features(log.items, store.tokens("item"), "item", ledger)
        write_features(files.with_name(f"{files.name}.item"), items)
    else:
        about = store.about()
        if about.num_columns > 1:
            columns = {name: about.column(name) for name in about.column_names[1:]}
            fields = feature_fields(about.column(0).combine_chunks(), columns, "item", ledger)
            write_features(files.with_name(f"{files.name}.item"), fields)
    profiles = log.users()
    if profiles is not None:
        users = match_features(profiles, store.tokens("user"), "user", ledger)
        write_features(files.with_name(f"{files.name}.user"), users)


def _show_reading(
    batches: Iterable[pa.RecordBatch], progress: Progress, announce: Callable[[int], None]
) -> Iterator[pa.RecordBatch]:
    """Show how far the reading is while batches pass.

    Args:
        batches: Events.
        progress: The part that is read.
        announce: Is told once about how many rows there are.
    """
    announced = False
    with RowBar("reading") as bar:
        for batch in batches:
            yield batch
            bar.add(batch.num_rows)
            if progress.done > 0:
                bar.total = int(bar.rows / progress.done)
                if bar.rows >= _ENOUGH and not announced:
                    announce(bar.total)
                    announced = True


def _write_log(files: Path, store: EventStore, newest_first: bool, binary_only: bool, work: Path) -> Counts:
    """Write all plays as text, unless only the binary form is wanted, and in binary form; count them."""
    users, items = store.names("user"), store.names("item")
    counts, columns = Counts(len(items)), LogColumns(work, len(items))

    def finish(group: Plays) -> tuple[pa.Buffer | None, Plays, GroupCounts]:
        plays = in_order(group)
        return None if binary_only else _text(plays, users, items), plays, count_group(plays)

    def texts() -> Iterator[pa.Buffer]:
        with RowBar("writing", store.rows) as bar:
            for text, plays, group in map_ahead(finish, store.groups(newest_first)):
                columns.add(plays)
                counts.add(group)
                bar.add(len(plays))
                if text is not None:
                    yield text

    text, binary = (files.with_name(f"{files.name}{suffix}") for suffix in SUFFIXES[:2])
    if binary_only:
        deque(texts(), maxlen=0)
        columns.write(binary, users, items)
    else:
        source = write_inter(text, texts())
        columns.write(binary, users, items, source, text.stat().st_mtime_ns)
    return counts


def _text(plays: Plays, users: pa.Array, items: pa.Array) -> pa.Buffer:
    user, item, time_us, rating = map(pa.array, (plays.user, plays.item, plays.time_us, plays.rating))
    columns = [users.take(user), items.take(item), time_us, rating]
    return inter_text(pa.RecordBatch.from_arrays(columns, EVENTS.names))
