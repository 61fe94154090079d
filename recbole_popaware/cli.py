"""The command ``recbole-popaware``: train a model, evaluate it, print the result."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from recbole_popaware import __version__
from recbole_popaware.errors import UsageError

DESCRIPTION = """Train and evaluate a sequential recommender: PopSASRec, PopBERT4Rec, MostPop,
PersonalizedMostPop, or any sequential model of RecBole. Every property may be given as --key=value."""

TOPOLOGY = ("nproc", "world_size", "ip", "port", "group_offset")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after the program's name; default: the command line's.

    Returns:
        Exit code: 0, or 2 for a mistake of the user, told in one line.
    """
    known, properties = parse(sys.argv[1:] if argv is None else argv)
    try:
        for word in properties:
            if not (word.startswith("--") and "=" in word):
                raise UsageError(f"[{word}] is not understood; properties are given as --key=value")
        warnings.filterwarnings("ignore", module=r"recbole\.")  # RecBole's to mend, not the user's
        from recbole_popaware.distributed import Topology  # takes seconds, and --help needs none of it
        from recbole_popaware.launch import Request, run

        files = tuple(known.config_files or ())
        request = Request(known.model, known.dataset, files, argv=tuple(properties))
        result = run(request, Topology(*(getattr(known, name) for name in TOPOLOGY)))
    except ModuleNotFoundError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"error: {error}, for Python {version}; see 'Installing' in README.md", file=sys.stderr)
        return 2
    except UsageError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if result is not None:
        print(report(result))
    return 0


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line: what argparse knows, and the properties."""
    parser = argparse.ArgumentParser(prog="recbole-popaware", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--model", "-m", help="name of the model (required here or in a file)")
    parser.add_argument("--dataset", "-d", help="name of the data set (default: the demo data)")
    parser.add_argument("--config_files", nargs="+", help="property files (YAML), later ones win")
    several = parser.add_argument_group("several processes")
    several.add_argument("--nproc", type=int, default=1, help="processes on this machine (default: 1)")
    several.add_argument("--world_size", type=int, default=-1, help="processes on all machines")
    several.add_argument("--ip", default="localhost", help="address of the first machine")
    several.add_argument("--port", type=int, help="port of the first machine where they meet")
    several.add_argument("--group_offset", type=int, default=0, help="processes on the machines before this")
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
