"""The command ``recbole-popaware-recommend``: ranked lists for users, from a checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recbole_popaware.cli import OneLineParser, exit_code
from recbole_popaware.errors import UsageError
from recbole_popaware.recommending.options import EVERYBODY, ListRules, Options

FEW_USERS = 20
DEFAULT_OUTPUT = Path("recommendations.parquet")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Words after the program's name; default: the command line's.

    Returns:
        Exit code: 0, 2 for a mistake of the user, told in one line, 130 if interrupted.
    """
    return exit_code(lambda: _run(_parse(argv)))


def _run(given: argparse.Namespace) -> str:
    """Do what is asked and return what to print."""
    options, rules = _options(given), ListRules(topk=given.topk)
    output = None if given.output is None else Path(given.output)
    if given.explain is not None and (output, given.users) != (None, None):
        raise UsageError("--explain prints about one user; leave out --users and --output")
    from recbole_popaware.compat import import_recbole  # slow imports

    import_recbole()
    from recbole_popaware.recommending import recommender, show, writer

    inputs = (given.checkpoint, given.users, given.history, given.item_file)
    if output is not None:
        writer.check_output(output, inputs)
    made = recommender.Recommender(given.checkpoint, rules.topk, options)
    if given.explain is not None:
        return show.explain(made, given.explain)
    ids, numbers = made.select(given.users or EVERYBODY)
    few = len(ids) <= FEW_USERS
    told = f"{len(ids):,} users"
    without = int((~made.have_plays(numbers)).sum())
    if without:
        told += f", {without:,} of them not known or without plays: they get the popular items"
    if output is None and few:
        table = made.collect(ids, numbers).to_pandas()
        return f"{show.draw(table)}\n\n{told}"
    output = output or DEFAULT_OUTPUT
    writer.check_output(output, inputs)
    writer.write(output, made.schema, made.tables(ids, numbers))
    return f"{told}\nwritten to {output}"


def _options(given: argparse.Namespace) -> Options:
    names = set(Options.__dataclass_fields__) - {"show_progress"}
    return Options(**{name: getattr(given, name) for name in names}, show_progress=True)


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
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
        metavar="FILE",
        help=f".parquet, .csv or .jsonl; default: {FEW_USERS} users are printed, more go to {DEFAULT_OUTPUT}",
    )
    add("--explain", metavar="USER", help="print where the scores of one user's list come from")
    lists = parser.add_argument_group("what a list holds")
    lists.add_argument(
        "--popularity-weight", type=float, default=1.0, metavar="W", help="of the head's scores; default: 1"
    )
    lists.add_argument(
        "--explore-share", type=float, default=0.0, metavar="S", help="share of items never played, at least"
    )
    lists.add_argument("--exclude-history", action="store_true", help="only items never played")
    files = parser.add_argument_group("files")
    files.add_argument("--history", metavar="FILE", help="an .inter file to recommend from instead")
    files.add_argument("--item-file", metavar="FILE", help="titles: .item, CSV or parquet with item_id")
    files.add_argument("--title-column", metavar="NAME", help="its column of titles")
    files.add_argument("--data-path", metavar="FOLDER", help="where the data sets are now")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", help="cpu, cuda or cuda:N; default: a GPU where there is one")
    machine.add_argument("--batch-size", type=int, metavar="N", help="users scored at once")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
