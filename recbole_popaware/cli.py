"""The command ``recbole-popaware``: train a model, evaluate it, print the result."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from recbole_popaware import __version__
from recbole_popaware.errors import UsageError

if TYPE_CHECKING:
    from recbole_popaware.distributed import Topology
    from recbole_popaware.launch import Request
    from recbole_popaware.quick_start import RunResult

DESCRIPTION = """Train and evaluate a recommender: PopSASRec, PopBERT4Rec, MostPop,
PersonalizedMostPop, or any model of RecBole; sequential ones may have Pop before their name (PopGRU4Rec)
for the popularity head. Every property may be given as --key=value."""


@dataclass(frozen=True)
class Arguments:
    """What the command line says.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set.
        config_files: Files of properties.
        properties: Arguments of the form ``--key=value``.
        processes: Fields of :class:`~.distributed.Topology`.
        params_file: The space of a search.
        search: Fields of :class:`~.tuning.options.Options`.
    """

    model: str | None
    dataset: str | None
    config_files: tuple[str, ...]
    properties: tuple[str, ...]
    processes: dict[str, Any]
    params_file: str | None
    search: dict[str, Any]


class OneLineParser(argparse.ArgumentParser):
    """A parser whose error messages are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as a mistake of the user."""
        raise UsageError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the program's name; default: the command line's.

    Returns:
        Exit code: 0, 2 for a mistake of the user, which is explained in one line, 130 if interrupted.
    """
    return exit_code(lambda: carry_out(parse(sys.argv[1:] if argv is None else argv)))


def check_properties(arguments: Sequence[str]) -> None:
    """Check that arguments are properties.

    Raises:
        UsageError: If one is not of the form ``--key=value``.
    """
    for argument in arguments:
        if not (argument.startswith("--") and "=" in argument[3:]):
            raise UsageError(f"[{argument}] is not understood; properties are given as --key=value")


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
            summary = _quietly(work)
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
    if summary:
        print(summary)
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


def carry_out(arguments: Arguments) -> str:
    """Train, or search where a params file is given; what to print, which may be nothing."""
    from recbole_popaware.compat import import_recbole  # takes seconds, and --help needs none of it

    import_recbole()
    from recbole_popaware.distributed import Topology
    from recbole_popaware.launch import Request, run

    request = Request(arguments.model, arguments.dataset, arguments.config_files, argv=arguments.properties)
    topology = Topology(**arguments.processes)
    if arguments.params_file is not None:
        return _tune(request, topology, arguments.params_file, arguments.search)
    if arguments.search:
        raise UsageError(f"--{min(arguments.search)} is for a search, which needs a --params_file too")
    result = run(request, topology)
    return "" if result is None else report(result)


def _tune(request: Request, topology: Topology, params_file: str, search: dict[str, Any]) -> str:
    from recbole_popaware.torchrun import has_launched
    from recbole_popaware.tuning import report as tuning_report
    from recbole_popaware.tuning.options import Options
    from recbole_popaware.tuning.space import read_space
    from recbole_popaware.tuning.tune import tune

    if has_launched() or not topology.is_one_process:
        raise UsageError("a search has one process a trial; for several trials at once say --tool=ray")
    options = Options(**search)
    return tuning_report.report(tune(request, read_space(params_file), options))


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line.

    Raises:
        UsageError: If it cannot be understood.
    """
    parser = OneLineParser(prog="recbole-popaware", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--model", "-m", help="name of the model (required here or in a file)")
    parser.add_argument("--dataset", "-d", help="name of the data set (default: the demo data)")
    parser.add_argument("--config_files", nargs="+", default=(), help="property files (YAML), later ones win")
    parser.add_argument(
        "--lenient",
        nargs="?",
        const="True",
        help="leave out rows with too few or too many columns, and count them",
    )
    parser.add_argument("--version", action="version", version=__version__)
    processes, search = _add_process_options(parser), _add_search_options(parser)
    known, properties = parser.parse_known_args(argv)
    check_properties(properties)
    if known.lenient is not None:
        properties.append(f"--lenient={known.lenient}")

    def chosen(actions: Sequence[argparse.Action]) -> dict[str, Any]:
        values = {action.dest: getattr(known, action.dest) for action in actions}
        return {name: value for name, value in values.items() if value is not None}

    return Arguments(
        model=known.model,
        dataset=known.dataset,
        config_files=tuple(_split_files(known.config_files)),
        properties=tuple(properties),
        processes=chosen(processes),
        params_file=known.params_file,
        search=chosen(search),
    )


def _split_files(names: Sequence[str]) -> Iterator[str]:
    """Names of files; one text with several names and spaces between, as RecBole takes it, is split."""
    for name in names:
        yield from [name] if Path(name).exists() else name.split()


def _add_process_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument_group("several processes").add_argument
    return [
        add("--nproc", type=int, help="processes on this machine (default: 1)"),
        add("--world_size", type=int, help="processes on all machines (default: of this one)"),
        add("--ip", help="address of the first machine (default: localhost)"),
        add("--port", type=int, help="port of the first machine where they meet"),
        add("--group_offset", type=int, help="processes on the machines before this (default: 0)"),
    ]


def _add_search_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument_group("search for good properties (docs/tuning.md)").add_argument
    add("--params_file", help="the properties to tune and their values (.hyper)")
    return [
        add("--algo", help="exhaustive (default), random or bayes"),
        add("--max_evals", type=int, help="most trials (default: all of a grid, or else 100)"),
        add("--output_file", help="results; a search goes on from those that are there"),
        add("--display_file", help="HTML file for a picture of the scores"),
        add("--tool", help="hyperopt (default): one after the other; ray: many at once"),
        add("--ray_address", help="a running Ray cluster (default: start Ray here)"),
        add("--workers", type=int, help="with ray: trials at once (default: what there is room for)"),
    ]


def report(result: RunResult) -> str:
    """Lay out a result as a table of measures on the validation and the test part."""
    from recbole_popaware.text_table import text_table

    valid, test = result["best_valid_result"] or {}, result["test_result"]
    rows = [
        [name, f"{valid[name]:.4f}" if name in valid else "-", f"{value:.4f}"] for name, value in test.items()
    ]
    table = text_table(["measure", "validation", "test"], rows, "lrr")
    lines = ["", f"{result['model']} on {result['dataset']}", "", table, ""]
    lines.append(f"epochs: {result['epochs']}, in {result['seconds']:.0f} s")
    if result["checkpoint"]:
        lines.append(f"weights of the best one: {result['checkpoint']}")
    return "\n".join(lines)
