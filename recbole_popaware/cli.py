"""The command ``recbole-popaware``: train a model, evaluate it, print the result."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from recbole_popaware import __version__
from recbole_popaware.errors import UsageError

DESCRIPTION = """Train and evaluate a sequential recommender: PopSASRec, PopBERT4Rec, MostPop,
PersonalizedMostPop, or any sequential model of RecBole. Every property may be given as --key=value."""

TOPOLOGY = ("nproc", "world_size", "ip", "port", "group_offset")
SEARCH = (
    *("params_file", "algo", "max_evals", "output_file", "display_file"),
    *("tool", "ray_address", "workers"),
)


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint as a mistake of the user."""
        raise UsageError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after the program's name; default: the command line's.

    Returns:
        Exit code: 0, or 2 for a mistake of the user, told in one line.
    """

    def work() -> str:
        known, properties = parse(sys.argv[1:] if argv is None else argv)
        check_properties(properties)
        return carry_out(known, properties)

    return exit_code(work)


def check_properties(words: Sequence[str]) -> None:
    """Check that words are properties.

    Raises:
        UsageError: If one is not of the form ``--key=value``.
    """
    for word in words:
        if not (word.startswith("--") and "=" in word[3:]):
            raise UsageError(f"[{word}] is not understood; properties are given as --key=value")


def exit_code(work: Callable[[], str], interrupted: str = "interrupted") -> int:
    """Run a command and print what it returns, or in one line on standard error why it could not run.

    Args:
        work: What the command does.
        interrupted: What to say after Ctrl-C.

    Returns:
        0; 2 for a mistake of the user or a library that is missing; 130 if interrupted.
    """
    warnings.filterwarnings("ignore", module=r"recbole\.")  # RecBole's to mend, not the user's
    mistake = ""
    try:
        with interrupted_when_terminated():
            told = _quietly(work)
    except ModuleNotFoundError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        mistake = f"{error}, for Python {version}; see 'Installing' in README.md"
    except (UsageError, OSError) as error:
        mistake = " ".join(str(error).split())
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    if mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    if told:
        print(told)
    return 0


def _quietly(work: Callable[[], str]) -> str:
    """Work, with warnings kept back where they would hide a mistake."""
    try:
        from recbole_popaware import log
    except ModuleNotFoundError:  # the work will say what is missing
        return work()
    log.hold()
    with log.quiet_if_refused():
        return work()


@contextmanager
def interrupted_when_terminated() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that what is unfinished goes."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def carry_out(known: argparse.Namespace, properties: Sequence[str]) -> str:
    """Train, or search where a params file is given; what to print, which may be nothing."""
    from recbole_popaware.compat import import_recbole  # takes seconds, and --help needs none of it

    import_recbole()
    from recbole_popaware.distributed import Topology
    from recbole_popaware.launch import Request, run

    request = Request(known.model, known.dataset, tuple(known.config_files or ()), argv=tuple(properties))
    topology = Topology(**_given(known, TOPOLOGY))
    search = _given(known, SEARCH)
    if not search:
        result = run(request, topology)
        return "" if result is None else report(result)
    if "params_file" not in search:
        raise UsageError(f"--{min(search)} is for a search, which needs a --params_file too")
    if not topology.is_one_process:
        raise UsageError("a search has one process a trial; for several trials at once say --tool=ray")
    from recbole_popaware.tuning.options import Options
    from recbole_popaware.tuning.report import report_search
    from recbole_popaware.tuning.tune import tune

    return report_search(tune(request, Options(**search)))


def _given(known: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in vars(known).items() if name in names and value is not None}


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line: what argparse knows, and the properties."""
    parser = OneLineParser(prog="recbole-popaware", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--model", "-m", help="name of the model (required here or in a file)")
    parser.add_argument("--dataset", "-d", help="name of the data set (default: the demo data)")
    parser.add_argument("--config_files", nargs="+", help="property files (YAML), later ones win")
    several = parser.add_argument_group("several processes")
    several.add_argument("--nproc", type=int, help="processes on this machine (default: 1)")
    several.add_argument("--world_size", type=int, help="processes on all machines (default: of this one)")
    several.add_argument("--ip", help="address of the first machine (default: localhost)")
    several.add_argument("--port", type=int, help="port of the first machine where they meet")
    several.add_argument(
        "--group_offset", type=int, help="processes on the machines before this (default: 0)"
    )
    search = parser.add_argument_group("search for good properties (docs/tuning.md)")
    search.add_argument("--params_file", help="the properties to tune and their values (.hyper)")
    search.add_argument("--algo", help="exhaustive (default), random or bayes")
    search.add_argument("--max_evals", type=int, help="most trials (default: all of a grid, or else 100)")
    search.add_argument("--output_file", help="results; a search goes on with what it finds there")
    search.add_argument("--display_file", help="HTML file for a picture of the scores")
    search.add_argument("--tool", help="hyperopt (default): one after the other; ray: many at once")
    search.add_argument("--ray_address", help="a running Ray cluster (default: start Ray here)")
    search.add_argument(
        "--workers", type=int, help="with ray: trials at once (default: what there is room for)"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_known_args(words)


def report(result: dict[str, Any]) -> str:
    """Lay out a result as a table of measures on the validation and the test part."""
    from texttable import Texttable  # comes with RecBole

    valid, test = result["best_valid_result"] or {}, result["test_result"]
    table = Texttable()
    table.set_deco(Texttable.HEADER)
    table.set_cols_dtype(["t", "t", "t"])
    table.set_cols_align(["l", "r", "r"])
    table.add_row(["measure", "validation", "test"])
    for name, value in test.items():
        table.add_row([name, f"{valid[name]:.4f}" if name in valid else "-", f"{value:.4f}"])
    lines = ["", f"{result['model']} on {result['dataset']}", "", table.draw(), ""]
    lines.append(f"epochs: {result['epochs']}, in {result['seconds']:.0f} s")
    if result["checkpoint"]:
        lines.append(f"weights of the best one: {result['checkpoint']}")
    return "\n".join(lines)
