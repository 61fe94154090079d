"""All sources by name."""

from __future__ import annotations

from typing import Any

from dataset_converters.common.errors import ConversionError, did_you_mean, shown
from dataset_converters.common.source import Source
from dataset_converters.simulator import simulate
from dataset_converters.sources import (
    lastfm1k,
    lfm1b,
    listenbrainz,
    music4all_onion,
    parquet,
    table,
    yambda,
    yandex,
)

SOURCES: dict[str, Source[Any]] = {
    "table": table.SOURCE,
    "parquet": parquet.SOURCE,
    "lastfm1k": lastfm1k.SOURCE,
    "lfm1b": lfm1b.SOURCE,
    "listenbrainz": listenbrainz.SOURCE,
    "music4all_onion": music4all_onion.SOURCE,
    "yambda": yambda.SOURCE,
    "yandex": yandex.SOURCE,
    "simulate": simulate.SOURCE,
}


def find_source(name: str) -> Source[Any]:
    """Return the source of that name.

    Raises:
        ConversionError: There is none.
    """
    if not isinstance(name, str) or name not in SOURCES:
        hint = did_you_mean(str(name), SOURCES)
        raise ConversionError(f"no source {shown(name)}{hint}; use {', '.join(SOURCES)}")
    return SOURCES[name]
