"""Command-line options that sources share."""

from __future__ import annotations

import argparse
import math
from datetime import datetime, timezone
from pathlib import Path

from dataset_converters.convert import Options
from dataset_converters.events.selection import SAMPLINGS, Selection


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add where and how to write."""
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of data sets")
    parser.add_argument("--name", help="name of the data set, the folder made in OUT")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier conversion")
    parser.add_argument(
        "--window",
        type=counting,
        default=Options.window,
        help="MAX_ITEM_LIST_LENGTH in the property file, the plays a model sees; default: 50",
    )


def add_selection(parser: argparse.ArgumentParser, samples_users: bool = True) -> None:
    """Add what to keep.

    Args:
        parser: Gets the options.
        samples_users: False for the simulator, which has a ``--users`` and ``--seed`` of its own.
    """
    group = parser.add_argument_group("selection, in this order; rows left out are counted")
    group.add_argument("--drop-duplicates", action="store_true", help="keep one of rows alike in all")
    group.add_argument("--from", dest="since", type=moment, metavar="DATE", help="first moment to keep, UTC")
    group.add_argument("--until", type=moment, metavar="DATE", help="first moment to leave out, UTC")
    if samples_users:
        group.add_argument("--users", type=counting, metavar="N", help="random sample of N users")
        group.add_argument("--seed", type=_seed, default=Selection.seed, help="of the samples; default: 27")
    group.add_argument("--sample-items", type=counting, metavar="N", help="sample of N items")
    group.add_argument("--sampling", choices=SAMPLINGS, default=Selection.sampling, help="how to draw items")
    group.add_argument("--min-user-plays", type=counting, default=0, metavar="N")
    group.add_argument("--min-item-plays", type=counting, default=0, metavar="N", help="both: k-core")


def shared_options(given: argparse.Namespace) -> Options:
    """Collect what ``add_output`` and ``add_selection`` have parsed."""
    selection = Selection(
        since_us=given.since,
        until_us=given.until,
        users=None if given.source == "simulate" else given.users,
        sample_items=given.sample_items,
        sampling=given.sampling,
        seed=given.seed,
        min_user_plays=given.min_user_plays,
        min_item_plays=given.min_item_plays,
        drop_duplicates=given.drop_duplicates,
    )
    return Options(given.overwrite, given.window, selection)


def counting(text: str) -> int:
    """Read a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number to count with: need a whole number from 1 up"
        )
    return int(text)


def moment(text: str) -> int:
    """Read a date or a date and time, UTC unless it names a zone, as microseconds since 1970."""
    try:
        parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date: write 2009-05-04 or 2009-05-04T23:08:57"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=timezone.utc)
    since_epoch = parsed - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds


def percentage(text: str) -> float:
    """Read a number from 0 to 100."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage: need a number from 0 to 100")
    return number


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: need a whole number from 0 to 2^32 - 1")
    return int(text)
