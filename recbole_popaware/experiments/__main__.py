"""The command ``recbole-popaware-experiment``: run systems side by side and report on them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recbole_popaware import __version__
from recbole_popaware.cli import OneLineParser, check_properties, exit_code
from recbole_popaware.errors import UsageError

if TYPE_CHECKING:
    from recbole_popaware.experiments.report.results import Results
    from recbole_popaware.experiments.report.tables import Table

DESCRIPTION = """Run the systems that an experiment file lists on one data set, each in a process of its own,
and write tables, tests, plots and a report. Properties given as --key=value win over the file's."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after the program's name; default: the command line's.

    Returns:
        Exit code: 0; 1 if a run failed; 2 for a mistake of the user, told in one line; 130 if interrupted.
    """
    failures: list[str] = []
    words = sys.argv[1:] if argv is None else argv
    again = "interrupted; add --resume to keep the runs that have finished"
    code = exit_code(lambda: _work(words, failures), again)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return code or int(bool(failures))


def _work(words: Sequence[str], failures: list[str]) -> str:
    """Run the experiment and return what to print; note in ``failures`` what failed."""
    given, rest = _parser().parse_known_args(words)
    overrides = _properties(rest)
    # These take seconds to import, and --help needs none of them.
    from recbole_popaware.compat import import_recbole

    import_recbole()
    from recbole_popaware.experiments.plan import find_plan, read_plan
    from recbole_popaware.experiments.report.outputs import write_outputs
    from recbole_popaware.experiments.run import run_experiment

    plan = read_plan(find_plan(given.file))
    output = given.output or Path("results", plan.name)
    results, runs, store = run_experiment(plan, given, overrides, output)
    tables = write_outputs(results, runs, store)
    failures += [f"{f.run.key}: {f.reason} (see {store.log(f.run)})" for f in results.failures]
    return _last_words(results, tables, output)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="recbole-popaware-experiment", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("file", help="experiment file, or the name of one that comes with the package")
    parser.add_argument("--output", type=Path, help="folder of the results; default: results/NAME")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="run these systems only")
    parser.add_argument("--seeds", type=_counting, default=1, metavar="N", help="seeds a system that learns")
    parser.add_argument(
        "--jobs", type=_counting, default=1, metavar="N", help="runs at once; they share cores"
    )
    parser.add_argument("--resume", action="store_true", help="keep finished runs with the same settings")
    parser.add_argument("--raw", type=Path, help="raw file to convert if the data set is not there")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _counting(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"[{text}] must be a whole number, at least 1")
    return int(text)


def _properties(words: Sequence[str]) -> dict[str, str]:
    check_properties(words)
    properties = dict(word[2:].split("=", 1) for word in words)
    for key in ("model", "dataset"):
        if key in properties:
            raise UsageError(f"--{key} cannot be given: the experiment file says it")
    return properties


def _last_words(results: Results, tables: Sequence[Table], output: Path) -> str:
    main = results.protocol.main
    shown = next((table for table in tables if main in table.header), None)
    text = [shown.markdown()] if shown and results.systems else ["no system has finished"]
    return "\n".join([*text, "", f"report: {output / 'report.html'}"])


if __name__ == "__main__":
    sys.exit(main())
