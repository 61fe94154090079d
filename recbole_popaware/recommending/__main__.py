"""The command ``recbole-popaware-recommend``: ranked lists for users, from a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from recbole_popaware.cli import OneLineParser, exit_code
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.options import EVERYBODY, ListRules, Options

FEW_USERS = 20
DEFAULT_OUTPUT = Path("recommendations.parquet")


@dataclass(frozen=True)
class Arguments:
    """What the command line says.

    Attributes:
        checkpoint: What training has saved.
        users: A file that names users; default: all.
        topk: Length of the lists.
        output: The file to write; default: few users are printed.
        explain: The user whose list is to be explained.
        options: All else.
    """

    checkpoint: str
    users: str | None
    topk: int
    output: Path | None
    explain: str | None
    options: Options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments after the program's name; default: the command line's.

    Returns:
        Exit code: 0, 2 for a mistake of the user, which is explained in one line, 130 if interrupted.
    """
    return exit_code(lambda: carry_out(parse(argv)))


def carry_out(arguments: Arguments) -> str:
    """Do what is asked and return what to print."""
    output, topk, options = arguments.output, arguments.topk, arguments.options
    options.rules(topk)  # before the slow imports
    options.check_output(output)
    if arguments.explain is not None and (output, arguments.users) != (None, None):
        raise UsageError("--explain prints about one user; leave out --users and --output")
    from recbole_popaware.compat import import_recbole  # slow imports

    import_recbole()
    from recbole_popaware.recommending import parts, recommender, show, writer

    inputs = (arguments.checkpoint, arguments.users, options.history, options.item_file)
    if output is not None:
        writer.check_output(output, inputs)
    made = recommender.Recommender(arguments.checkpoint, topk, options)
    if arguments.explain is not None:
        return show.explain(made, arguments.explain)
    users = arguments.users or EVERYBODY
    if output is None and not made.in_parts:
        ids, numbers = made.select(users)
        if len(ids) <= FEW_USERS:
            return f"{show.draw(made.collect(ids, numbers).to_pandas())}\n\n{parts.Counts.of(made, numbers)}"
    output = output or DEFAULT_OUTPUT
    writer.check_output(output, inputs)
    return f"{parts.write_lists(made, users, output, options)}\nwritten to {output}"


def parse(argv: Sequence[str] | None) -> Arguments:
    """Read the command line.

    Raises:
        UsageError: If it cannot be understood, or a value cannot work.
    """
    parser = OneLineParser(
        prog="recbole-popaware-recommend",
        description="Make ranked lists for users from a checkpoint and each user's latest history.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--checkpoint", required=True, metavar="FILE", help="what training has saved (saved/….pth)")
    add("--users", metavar="FILE", help="ids, one a line, or a column user_id (CSV, parquet); default: all")
    add("--topk", type=int, default=ListRules.topk, metavar="K", help="length of a list; default: 10")
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help=f".parquet, .csv, .jsonl or a folder; default: {FEW_USERS} users are printed, more go to "
        f"{DEFAULT_OUTPUT}",
    )
    add("--explain", metavar="USER", help="print where the scores of one user's list come from")
    lists = parser.add_argument_group("which items")
    lists.add_argument(
        "--popularity-weight", type=float, default=1.0, metavar="W", help="of the head's scores; default: 1"
    )
    lists.add_argument(
        "--explore-share", type=float, default=0.0, metavar="S", help="share of items never played, at least"
    )
    lists.add_argument(
        "--calibrated",
        type=float,
        nargs="?",
        const=True,
        default=False,
        metavar="F",
        help="as many items never played as the user's own plays have; with F at least F times as many",
    )
    lists.add_argument("--exclude-history", action="store_true", help="only items never played")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--history",
        metavar="PATH",
        help="plays to recommend from instead: an .inter or a parquet file, or a folder of parquet files",
    )
    files.add_argument("--item-file", metavar="FILE", help="titles: .item, CSV or parquet with item_id")
    files.add_argument("--title-column", metavar="NAME", help="its column of titles")
    files.add_argument("--data-path", metavar="FOLDER", help="where the data sets are now")
    files.add_argument("--shard", metavar="I/N", help="make one of N shares of the lists, such as 3/16")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--tool", metavar="ray", help="make the parts of a folder in Ray's workers")
    machine.add_argument(
        "--ray-address", metavar="HOST:PORT", help="a running cluster; default: start Ray here"
    )
    machine.add_argument("--workers", type=int, metavar="N", help="with ray: parts made at once")
    machine.add_argument("--device", help="cpu, cuda or cuda:N; default: a GPU where there is one")
    machine.add_argument(
        "--precision",
        default=Options.precision,
        help="float32 (default), or bfloat16 to find candidates with",
    )
    machine.add_argument("--batch-size", type=int, metavar="N", help="users scored at once")
    known = vars(parser.parse_args(argv))
    options = {field.name: known.pop(field.name) for field in fields(Options) if field.name in known}
    return Arguments(**known, options=Options(**options, show_progress=True))


if __name__ == "__main__":
    sys.exit(main())
