"""Command line: ``python -m dataset_converters SOURCE ...``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import duckdb
import pyarrow as pa

from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger
from dataset_converters.common.schema import check_name
from dataset_converters.convert import convert
from dataset_converters.options import add_output, add_selection, shared_options
from dataset_converters.output.summary import summary_lines
from dataset_converters.registry import SOURCES


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
        given = _parser().parse_args(argv)
        target = given.out / check_name(given.name or _default_name(given))
        with _clean_up_when_terminated(), Ledger() as ledger:
            log = SOURCES[given.source].open(given, ledger)
            statistics = convert(log, target, ledger, shared_options(given))
    except (KeyboardInterrupt, duckdb.InterruptException):
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    except (ConversionError, OSError, MemoryError, pa.ArrowException, duckdb.Error) as error:
        print(f"error: {_describe(error)}", file=sys.stderr)
        return 2
    for line in [*summary_lines(target.name, statistics), f"written to {target}"]:
        print(_printable(line))
    return 0


def _describe(error: BaseException) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or "not enough memory"


def _printable(line: str) -> str:
    """Escape what the terminal cannot show, such as a folder's name that is no text."""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dataset_converters", description="Make RecBole files from raw logs.")
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for name, source in SOURCES.items():
        words = sources.add_parser(name, help=source.about)
        if source.raw:
            words.add_argument("raw", type=Path, metavar="RAW", help=source.raw)
        add_output(words)
        source.add_options(words)
        add_selection(words, samples_users=name != "simulate")
    return parser


@contextmanager
def _clean_up_when_terminated() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that temporary files go."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _default_name(given: argparse.Namespace) -> str:
    """Return the raw folder's name, or the file's without its endings, or the simulator's."""
    if "raw" not in given:
        return "demo"
    raw: Path = given.raw.resolve()
    return raw.name if raw.is_dir() else raw.name.split(".")[0]


if __name__ == "__main__":
    sys.exit(main())
