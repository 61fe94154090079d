"""The parser of the command line, made from the sources and the dataclasses of their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from dataset_converters.common.errors import ConversionError, did_you_mean
from dataset_converters.common.options import Option, options_of
from dataset_converters.common.readers import read_switch
from dataset_converters.events.selection import Selection
from dataset_converters.pipeline import Output
from dataset_converters.registry import SOURCES, find_source


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that leaves out options that do not appear."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(argument_default=argparse.SUPPRESS, **settings)

    def error(self, message: str) -> NoReturn:
        raise ConversionError(f"{message}; see {self.prog} --help")


def parse_arguments(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what the command line gives as arguments of ``api.convert``.

    Values are texts, which ``convert`` reads; options that do not appear are left out.

    Args:
        arguments: ``sys.argv[1:]`` by default.

    Raises:
        ConversionError: Something is missing, or not understood.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and not arguments[0].startswith("-"):
        find_source(arguments[0])
    parser = _Parser(prog="dataset_converters", description="Make RecBole files from raw logs.")
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for name, source in SOURCES.items():
        own = options_of(source.options)
        command = sources.add_parser(name, help=source.about)
        if source.raw:
            command.add_argument("raw", metavar="RAW", help=source.raw)
        command.add_argument("out", metavar="OUT", help="folder of data sets")
        _add(command, options_of(Output))
        _add(command, own)
        group = command.add_argument_group("selection, in this order; rows left out are counted")
        _add(group, options_of(Selection), without=own)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse(unknown[0], parsed.source, parser)
    return {"raw": None, **vars(parsed)}


def _add(
    parser: argparse._ActionsContainer, options: dict[str, Option], without: Collection[str] = ()
) -> None:
    for name, option in options.items():
        if name in without:
            continue
        settings: dict[str, Any] = {"dest": name, "help": _help(option)}
        if option.read is read_switch:
            settings["action"] = "store_true"
        else:
            settings.update(required=option.is_required, metavar=option.metavar)
        parser.add_argument(option.flag, **settings)


def _help(option: Option) -> str:
    has_default = isinstance(option.default, (int, float, str)) and option.read is not read_switch
    text = f"{option.help}; default: {option.default}".lstrip("; ") if has_default else option.help
    return text.replace("%", "%%")


def _refuse(argument: str, source: str, parser: _Parser) -> NoReturn:
    kinds = (SOURCES[source].options, Output, Selection)
    flags = [option.flag for kind in kinds for option in options_of(kind).values()]
    parser.error(f"unrecognized arguments: {argument}{did_you_mean(argument.partition('=')[0], flags)}")
