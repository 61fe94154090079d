"""Command line: ``python -m dataset_converters SOURCE ...``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from dataset_converters.api import convert
from dataset_converters.command_line import parse_arguments
from dataset_converters.common.errors import ConversionError
from dataset_converters.output.summary import summary_lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one raw log.

    Args:
        arguments: ``sys.argv[1:]`` by default.

    Returns:
        Exit code: 0, 2 for a mistake in the input or the options, 130 if interrupted.
    """
    try:
        with _clean_up_when_terminated():
            made = convert(**parse_arguments(arguments))
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    except ConversionError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for line in [*summary_lines(made.name, made.statistics), f"written to {made.folder}"]:
        print(_printable(line))
    return 0


def _printable(line: str) -> str:
    """Escape what the terminal cannot show, such as a folder's name that is no text."""
    encoding = sys.stdout.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


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


if __name__ == "__main__":
    sys.exit(main())
