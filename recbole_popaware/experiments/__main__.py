"""The command ``recbole-popaware-experiment``: run systems side by side and report on them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recbole_popaware import __version__
from recbole_popaware.cli import OneLineParser, check_properties, exit_code

DESCRIPTION = """Run the systems that an experiment file lists on one data set, each in a process of its own,
and write tables, tests, plots and a report. Properties given as --key=value win over the file's."""
INTERRUPTED = "interrupted; add --resume to keep the runs that have finished"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the program's name; default: the command line's.

    Returns:
        Exit code: 0; 1 if a run failed; 2 for a mistake of the user, which gets one line; 130 if interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    failures: list[str] = []
    code = exit_code(lambda: _work(arguments, failures), INTERRUPTED)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return code or int(bool(failures))


def _work(arguments: Sequence[str], failures: list[str]) -> str:
    """Do the experiment and return what to print; add to ``failures`` a line for each run that failed."""
    options, rest = _parser().parse_known_args(arguments)
    check_properties(rest)
    # These take seconds to import, and --help needs none of them.
    from recbole_popaware.compat import import_recbole

    import_recbole()
    from recbole_popaware.experiments.api import experiment
    from recbole_popaware.experiments.report.tables import short_report

    results = experiment(
        options.file,
        output=options.output,
        only=options.only,
        seeds=options.seeds,
        jobs=options.jobs,
        resume=options.resume,
        raw=options.raw,
        **dict(argument[2:].split("=", 1) for argument in rest),
    )
    failures += [f"{f.run.key}: {f.reason} (see {f.log})" for f in results.failures]
    return f"{short_report(results)}\n\nreport: {results.output / 'report.html'}"


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="recbole-popaware-experiment", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("file", help="experiment file, or the name of one that comes with the package")
    parser.add_argument("--output", type=Path, help="folder of the results; default: results/NAME")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="run these systems only")
    parser.add_argument("--seeds", type=_whole, default=1, metavar="N", help="seeds a system that learns")
    parser.add_argument("--jobs", type=_whole, default=1, metavar="N", help="runs at once; they share cores")
    parser.add_argument("--resume", action="store_true", help="keep finished runs with the same settings")
    parser.add_argument("--raw", type=Path, help="raw file to convert if the data set is not there")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"[{text}] must be a whole number, at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
