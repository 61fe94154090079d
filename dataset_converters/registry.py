"""The sources by name: their options on the command line, and how to open them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import EVENT_RATINGS, RawLog
from dataset_converters.options import percentage
from dataset_converters.reading.ratings import parse_ratings
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
from dataset_converters.sources.parquet_layout import FieldOptions

Parser = argparse.ArgumentParser
Given = argparse.Namespace


@dataclass(frozen=True)
class Source:
    """One kind of raw log.

    Attributes:
        about: A line of help.
        add_options: Adds the options that only this source has.
        open: Starts reading.
        raw: What RAW is, empty if there is none.
    """

    about: str
    add_options: Callable[[Parser], None]
    open: Callable[[Given, Ledger], RawLog]
    raw: str


def _parquet_options(parser: Parser) -> None:
    parser.add_argument(
        "--ratings",
        type=parse_ratings,
        default=parquet.ACTION_RATINGS,
        metavar="ACTION=RATING,...",
        help="rating of each action; other actions are dropped; default: 1=1,2=2,-1=-1,-2=-2, "
        "that is play, like, skip, dislike",
    )
    parser.add_argument("--unknown-tracks", choices=("keep", "drop"), default="keep")
    parser.add_argument("--user-column", help="default: character_index")
    parser.add_argument("--actions-column", help="default: the only list of structs")
    parser.add_argument("--index-field", help="struct field of the track index")
    parser.add_argument("--time-field", help="struct field of the time")
    parser.add_argument("--action-field", help="struct field of the action")


def _open_parquet(given: Given, ledger: Ledger) -> RawLog:
    fields = FieldOptions(
        user=given.user_column,
        actions=given.actions_column,
        index=given.index_field,
        time=given.time_field,
        action=given.action_field,
    )
    keep = given.unknown_tracks == "keep"
    return parquet.read_events(given.raw, parquet.ParquetOptions(fields, given.ratings, keep), ledger)


def _simulate_options(parser: Parser) -> None:
    for name, value in vars(simulate.SimulateOptions()).items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default: {value}")


def _open_simulate(given: Given, ledger: Ledger) -> RawLog:
    sizes = {name: getattr(given, name) for name in vars(simulate.SimulateOptions())}
    return simulate.read_events(simulate.SimulateOptions(**sizes), ledger)


def _item_key_option(parser: Parser) -> None:
    parser.add_argument(
        "--item-key",
        choices=lastfm1k.ITEM_KEYS,
        default="mbid",
        help="mbid: MusicBrainz id, plays without one are dropped; name: artist and track; default: mbid",
    )


def _event_ratings_option(parser: Parser) -> None:
    parser.add_argument(
        "--ratings",
        type=parse_ratings,
        default=EVENT_RATINGS,
        metavar="EVENT=RATING,...",
        help="rating of each event; other events are dropped; default: like=2,play=1,skip=-1,dislike=-2",
    )


def _yandex_options(parser: Parser) -> None:
    _event_ratings_option(parser)
    parser.add_argument(
        "--item-types",
        type=lambda text: tuple(text.split(",")),
        default=yandex.YandexOptions.item_types,
        metavar="TYPE,...",
        help="types of items to keep; default: track",
    )


def _open_yandex(given: Given, ledger: Ledger) -> RawLog:
    return yandex.read_events(given.raw, yandex.YandexOptions(given.ratings, given.item_types), ledger)


def _yambda_options(parser: Parser) -> None:
    _event_ratings_option(parser)
    parser.add_argument(
        "--min-played-ratio",
        type=percentage,
        default=yambda.YambdaOptions.min_played_ratio,
        metavar="PERCENT",
        help="a listen to less than this is a skip; default: 50",
    )


def _open_yambda(given: Given, ledger: Ledger) -> RawLog:
    options = yambda.YambdaOptions(given.ratings, given.min_played_ratio)
    return yambda.read_events(given.raw, options, ledger)


def _table_options(parser: Parser) -> None:
    _event_ratings_option(parser)
    for name in ("user", "item", "time"):
        parser.add_argument(f"--{name}", required=True, metavar="COLUMN")
    parser.add_argument("--event", metavar="COLUMN", help="event, see --ratings; default: all are plays")
    parser.add_argument("--rating", metavar="COLUMN", help="rating as a number")
    parser.add_argument(
        "--time-format",
        default=table.TableOptions.time_format,
        help="iso, s, ms, us, ns, auto (seconds or ISO; the default) or a strptime pattern such as "
        "'%%d.%%m.%%Y %%H:%%M'; UTC unless the text names a zone",
    )
    parser.add_argument("--delimiter", type=_delimiter, help="default: comma in .csv, tab otherwise")
    parser.add_argument("--newest-first", action="store_true", help="of plays at one time the later is first")


def _delimiter(text: str) -> str:
    character = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(character) != 1 or not character.isascii() or character in '\r\n"':
        raise argparse.ArgumentTypeError(f"{text!r} is no delimiter: need one ASCII character, or 'tab'")
    return character


def _open_table(given: Given, ledger: Ledger) -> RawLog:
    names = ("user", "item", "time", "event", "rating", "time_format", "ratings", "delimiter", "newest_first")
    options = table.TableOptions(**{name: getattr(given, name) for name in names})
    return table.read_events(given.raw, options, ledger)


def _no_options(parser: Parser) -> None:
    """Add nothing."""


def _by_key(read: Callable[[Path, str, Ledger], RawLog]) -> Callable[[Given, Ledger], RawLog]:
    return lambda given, ledger: read(given.raw, given.item_key, ledger)


def _plainly(read: Callable[[Path, Ledger], RawLog]) -> Callable[[Given, Ledger], RawLog]:
    return lambda given, ledger: read(given.raw, ledger)


SOURCES = {
    "table": Source("any CSV, TSV or parquet file", _table_options, _open_table, "file, or folder of files"),
    "parquet": Source(
        "interactions.parquet and tracks.parquet", _parquet_options, _open_parquet, "folder of the files"
    ),
    "lastfm1k": Source(
        "Last.fm-1K", _item_key_option, _by_key(lastfm1k.read_events), "TSV, archive, or folder with it"
    ),
    "lfm1b": Source("LFM-1b", _no_options, _plainly(lfm1b.read_events), "LFM-1b_LEs.txt, or its folder"),
    "listenbrainz": Source(
        "ListenBrainz", _item_key_option, _by_key(listenbrainz.read_events), "JSON lines, or a folder of them"
    ),
    "music4all_onion": Source(
        "Music4All-Onion",
        _no_options,
        _plainly(music4all_onion.read_events),
        "userid_trackid_timestamp.tsv.bz2, or its folder",
    ),
    "yambda": Source(
        "Yambda", _yambda_options, _open_yambda, "parquet file, flat or sequential, or a folder of its parts"
    ),
    "yandex": Source(
        "Yandex Music Event 2019", _yandex_options, _open_yandex, "user_events, data.tar.gz, or the folder"
    ),
    "simulate": Source("a made-up listening log", _simulate_options, _open_simulate, ""),
}
"""Every source that the command line knows."""
