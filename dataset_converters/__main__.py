"""Command line: ``python -m dataset_converters SOURCE ...``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import duckdb
import pyarrow as pa

from dataset_converters import parquet, simulate
from dataset_converters.convert import convert
from dataset_converters.errors import ConversionError
from dataset_converters.ledger import Ledger
from dataset_converters.parquet_layout import FieldOptions
from dataset_converters.schema import RawLog, check_name, parse_ratings
from dataset_converters.summary import summary_lines


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        raise ConversionError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one raw log.

    Args:
        argv: Words of the command line, ``sys.argv[1:]`` by default.

    Returns:
        Exit code: 0, 2 for a mistake in the input or the options, 130 if interrupted.
    """
    try:
        options = _parser().parse_args(argv)
        ledger = Ledger()
        name = check_name(options.name or _default_name(options))
        log: RawLog = options.open(options, ledger)
        statistics = convert(log, options.out / name, ledger, options.overwrite, options.window)
    except (KeyboardInterrupt, duckdb.InterruptException):
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    except (ConversionError, OSError, pa.ArrowException, duckdb.Error) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print("\n".join(summary_lines(name, statistics)))
    print(f"written to {options.out / name}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dataset_converters", description="Make RecBole files from raw logs.")
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    _add_parquet(sources.add_parser("parquet", help="interactions.parquet and tracks.parquet"))
    _add_simulate(sources.add_parser("simulate", help="a made-up listening log"))
    return parser


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of data sets")
    parser.add_argument("--name", help="name of the data set, the folder made in OUT")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier conversion")
    parser.add_argument(
        "--window",
        type=_window,
        default=50,
        help="MAX_ITEM_LIST_LENGTH in the property file, the plays a model sees; default: 50",
    )


def _window(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no window: need a whole number from 1 up")
    return int(text)


def _add_parquet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raw", type=Path, metavar="RAW", help="folder of the parquet files")
    _add_output(parser)
    parser.add_argument(
        "--ratings",
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
    parser.set_defaults(open=_open_parquet)


def _open_parquet(given: argparse.Namespace, ledger: Ledger) -> RawLog:
    fields = FieldOptions(
        user=given.user_column,
        actions=given.actions_column,
        index=given.index_field,
        time=given.time_field,
        action=given.action_field,
    )
    ratings = parse_ratings(given.ratings) if given.ratings else parquet.ACTION_RATINGS
    keep = given.unknown_tracks == "keep"
    return parquet.read_events(given.raw, parquet.ParquetOptions(fields, ratings, keep), ledger)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    _add_output(parser)
    defaults = simulate.SimulateOptions()
    for name, value in vars(defaults).items():
        parser.add_argument(f"--{name}", type=int, default=value, help=f"default: {value}")
    parser.set_defaults(open=_open_simulate)


def _open_simulate(given: argparse.Namespace, ledger: Ledger) -> RawLog:
    sizes = {name: getattr(given, name) for name in vars(simulate.SimulateOptions())}
    return simulate.read_events(simulate.SimulateOptions(**sizes), ledger)


def _default_name(given: argparse.Namespace) -> str:
    """Return the raw folder's name, or the source's where there is none."""
    if "raw" not in given:
        return "demo"
    raw: Path = given.raw.resolve()
    return raw.name if raw.is_dir() else raw.stem


if __name__ == "__main__":
    sys.exit(main())
