"""The command ``recbole-popaware``: train a model, evaluate it, print the result."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from recbole_popaware import __version__
from recbole_popaware.errors import UsageError

DESCRIPTION = """Train and evaluate a sequential recommender: PopSASRec, PopBERT4Rec, MostPop,
PersonalizedMostPop, or any sequential model of RecBole. Every property may be given as --key=value."""


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
    known, properties = parse(sys.argv[1:] if argv is None else argv)

    def work() -> str:
        check_properties(properties)
        from recbole_popaware.config import Config  # takes seconds, and --help needs none of it
        from recbole_popaware.quick_start import train_and_evaluate

        config = Config(known.model, known.dataset, known.config_files, argv=properties)
        return report(train_and_evaluate(config))

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
    try:
        told = work()
    except ModuleNotFoundError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"error: {error}, for Python {version}; see 'Installing' in README.md", file=sys.stderr)
        return 2
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    print(told)
    return 0


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line: what argparse knows, and the properties."""
    parser = argparse.ArgumentParser(prog="recbole-popaware", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--model", "-m", help="name of the model (required here or in a file)")
    parser.add_argument("--dataset", "-d", help="name of the data set (default: the demo data)")
    parser.add_argument("--config_files", nargs="+", help="property files (YAML), later ones win")
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
