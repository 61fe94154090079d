"""Options are fields of dataclasses, annotated with how their values are read and what they mean.

One declaration serves the command line, which makes its arguments from it, and the Python function:
``read_options`` checks the values that come from either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeVar, get_type_hints

from dataset_converters.common.errors import ConversionError, shown

OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True)
class Option:
    """What is known about one field.

    Attributes:
        read: Returns the value from text or a Python object; see ``common.readers``.
        help: A line of help.
        metavar: Name of the value in the help.
        flag: How the command line spells it; made from the field's name where empty.
        default: The field's default, ``MISSING`` if a value is required, ``None`` if nothing can be said.
    """

    read: Callable[[object], Any]
    help: str = ""
    metavar: str | None = None
    flag: str = ""
    default: Any = None

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING


@dataclass(frozen=True)
class NoOptions:
    """Of a source that has none."""


def options_of(kind: type[Any]) -> dict[str, Option]:
    """Return the options of a dataclass by field name, complete with flag and default."""
    hints = get_type_hints(kind, include_extras=True)
    options = {}
    for field in fields(kind):
        declared: Option = hints[field.name].__metadata__[0]
        options[field.name] = replace(
            declared,
            flag=declared.flag or f"--{field.name.replace('_', '-')}",
            default=None if field.default_factory is not MISSING else field.default,
        )
    return options


def read_options(kind: type[OptionsT], values: Mapping[str, object]) -> OptionsT:
    """Make the options of a dataclass from values by field name; other names are passed over.

    Raises:
        ConversionError: A value is refused, or one that is required is missing.
    """
    options = options_of(kind)
    missing = [option.flag for name, option in options.items() if option.is_required and name not in values]
    if missing:
        raise ConversionError(f"the following options are required: {', '.join(missing)}")
    return kind(**{name: _read(option, values[name]) for name, option in options.items() if name in values})


def _read(option: Option, value: object) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise ConversionError(f"{option.flag} {shown(value)}: {error}") from None
