"""The way of every data set: clean, order, count, write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from dataset_converters.cleaning import clean_events
from dataset_converters.features import item_features
from dataset_converters.ledger import Ledger
from dataset_converters.schema import RawLog
from dataset_converters.store import EventStore
from dataset_converters.summary import collect_statistics
from dataset_converters.writer import (
    new_folder,
    write_features,
    write_inter,
    write_properties,
    write_statistics,
)


def convert(
    log: RawLog, target: Path, ledger: Ledger, overwrite: bool = False, window: int = 50
) -> dict[str, Any]:
    """Write a raw log as a RecBole data set.

    Args:
        log: What a source read.
        target: The data set's folder, ``OUT/NAME``.
        ledger: The one that the source counts in.
        overwrite: Whether an earlier conversion may be replaced.
        window: Plays that a model sees at once, for the property file.

    Returns:
        The statistics that ``NAME.stats.json`` holds.

    Raises:
        ConversionError: The data is not usable, or the folder is taken. Nothing is written then.
    """
    name = target.name
    with new_folder(target.parent, name, overwrite) as folder:
        work = folder / "work"
        work.mkdir()
        with EventStore(work) as store:
            for batch in _with_progress(log.batches, "reading", None):
                store.append(clean_events(batch, ledger))
            ledger.balance(store.rows)
            if log.items is not None:
                features = item_features(log.items, store.items(), ledger)
                write_features(folder / f"{name}.item", features)
            statistics = collect_statistics(store, ledger)
            ordered = _with_progress(store.ordered(), "writing", store.rows)
            write_inter(folder / f"{name}.inter", ordered)
        write_properties(folder / f"{name}.yaml", window)
        write_statistics(folder / f"{name}.stats.json", statistics)
    return statistics


def _with_progress(
    batches: Iterable[pa.RecordBatch], doing: str, total: int | None
) -> Iterator[pa.RecordBatch]:
    """Show rows and rate while batches pass, if someone is watching."""
    with tqdm(desc=doing, total=total, unit=" rows", unit_scale=True, disable=None) as bar:
        for batch in batches:
            yield batch
            bar.update(batch.num_rows)
