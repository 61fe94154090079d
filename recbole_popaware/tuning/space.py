"""The space that a search goes through: properties and values, from RecBole's .hyper files or from Python."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from recbole_popaware.errors import UsageError, shown
from recbole_popaware.literals import parse_literal
from recbole_popaware.safe_yaml import read_text

# Numbers that follow each kind; a choice is followed by a list.
KINDS = {"choice": 0, "uniform": 2, "loguniform": 2, "quniform": 3}


class Dimension(NamedTuple):
    """One property and the values it may take.

    Attributes:
        name: The property.
        kind: ``choice``, ``uniform``, ``quniform``, or ``loguniform``, whose bounds are exponents of e.
        arguments: What follows the kind: the values of a choice, or low, high and step.
    """

    name: str
    kind: str
    arguments: tuple[Any, ...]

    def expression(self) -> Any:
        """What hyperopt draws from; a choice as the index of a value, which :meth:`value` looks up."""
        from hyperopt import hp

        numbers = [range(len(self.arguments))] if self.kind == "choice" else self.arguments
        return getattr(hp, self.kind)(self.name, *numbers)

    def value(self, drawn: Any) -> Any:
        """Turn what hyperopt drew into a value of the property; it draws whole steps as ``2.0``."""
        if self.kind == "choice":
            return self.arguments[int(drawn)]
        if self.kind == "quniform" and all(number == int(number) for number in self.arguments):
            return int(drawn)
        return float(f"{drawn:.12g}")  # 0.1 * 3 is 0.30000000000000004

    def extremes(self) -> tuple[Any, ...]:
        """The values to check: if they are possible, all others are."""
        ends = self.arguments[:2]
        if self.kind == "choice":
            return self.arguments
        return tuple(map(math.exp, ends)) if self.kind == "loguniform" else tuple(map(self.value, ends))


class Space(NamedTuple):
    """All dimensions, in the order of the file."""

    dimensions: tuple[Dimension, ...]

    def expressions(self) -> dict[str, Any]:
        """The space as hyperopt wants it."""
        return {dimension.name: dimension.expression() for dimension in self.dimensions}

    def values(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Properties of a point that hyperopt drew."""
        return {d.name: d.value(drawn[d.name]) for d in self.dimensions}

    def without(self, names: Collection[str]) -> Space:
        """The space of the other properties."""
        return Space(tuple(d for d in self.dimensions if d.name not in names))

    def grid(self) -> tuple[int, Iterator[dict[str, int]]]:
        """Number of all points, and the points in order, the last property changing fastest.

        Raises:
            UsageError: If there is no end of them.
        """
        endless = [d.name for d in self.dimensions if d.kind != "choice"]
        if endless:
            raise UsageError(
                f"an exhaustive search needs choices, but {', '.join(endless)} "
                f"{'are ranges' if len(endless) > 1 else 'is a range'}; say --algo=random or --algo=bayes"
            )
        names = [d.name for d in self.dimensions]
        indices = itertools.product(*(range(len(d.arguments)) for d in self.dimensions))
        size = math.prod(len(d.arguments) for d in self.dimensions)
        return size, (dict(zip(names, point)) for point in indices)


def read_space(file: str | os.PathLike[str]) -> Space:
    """Read a .hyper file: lines ``property kind values``; empty lines and comments after ``#`` are skipped.

    RecBole evaluates the values as code and skips short lines; here they are literals, and a line that is
    not understood is an error.

    Raises:
        UsageError: If the file is not there, empty, or has a bad line.
    """
    try:
        lines = read_text(file).splitlines()
    except UsageError as error:
        raise UsageError(f"params_file {error}") from error
    dimensions: dict[str, Dimension] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            dimension = read_line(line)
            if dimension.name in dimensions:
                raise ValueError(f"{dimension.name} has a line already")
        except ValueError as error:
            raise UsageError(f"{file}, line {number} [{shown(line.strip())}]: {error}") from error
        dimensions[dimension.name] = dimension
    if not dimensions:
        raise UsageError(
            f"params_file [{file}] names no property; a line is such as: learning_rate choice [0.01]"
        )
    return Space(tuple(dimensions.values()))


def make_space(values: Mapping[str, Any]) -> Space:
    """Make a space of properties with lists of values, or with the rest of a line of a .hyper file.

    Args:
        values: Such as ``{"n_layers": [1, 2], "learning_rate": "loguniform -8,-3"}``.

    Raises:
        UsageError: If there is no property, or what it may be cannot be understood.
    """
    if not values:
        raise UsageError('the space names no property; say something like {"n_layers": [1, 2]}')
    return Space(tuple(_dimension(name, value) for name, value in values.items()))


def _dimension(name: str, value: Any) -> Dimension:
    if isinstance(value, (list, tuple)) and value:
        return Dimension(name, "choice", tuple(map(_nested, value)))
    try:
        if not isinstance(value, str):
            raise ValueError('say a list of values, or text such as "uniform 0,0.5"')
        return read_line(f"{name} {value}")
    except ValueError as error:
        raise UsageError(f"the space of property [{name}] is [{shown(value)}]: {error}") from error


def read_line(line: str) -> Dimension:
    """Read one line.

    Raises:
        ValueError: If it cannot be understood.
    """
    parts = line.split(None, 2)
    if len(parts) < 3 or parts[1] not in KINDS:
        raise ValueError(f"a line is a property, one of {', '.join(KINDS)}, and values")
    name, kind, text = parts
    if kind == "choice":
        values = _literal_list(text)
        if not values:
            raise ValueError("a choice needs values")
        return Dimension(name, kind, tuple(values))
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{kind} needs {KINDS[kind]} numbers with commas between") from error
    if len(numbers) != KINDS[kind] or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{kind} needs {KINDS[kind]} numbers with commas between")
    most = 700 if kind == "loguniform" else 1e15  # e ** 710 is no number any more
    if any(abs(number) > most for number in numbers):
        raise ValueError(f"the numbers of {kind} must lie between -{most:g} and {most:g}")
    if not numbers[0] < numbers[1] or (numbers[2:] and numbers[2] <= 0):
        raise ValueError("the first number must be less than the second, and a step above 0")
    return Dimension(name, kind, numbers)


def _literal_list(text: str) -> list[Any]:
    try:
        values = parse_literal(text)
    except ValueError as error:
        raise ValueError("a choice needs a list such as [1, 2] or ['CE', 'BPR'], text in quotes") from error
    if not isinstance(values, list):
        raise ValueError("a choice needs a list such as [1, 2]")
    return [_nested(value) for value in values]


def _nested(value: Any) -> Any:
    """Read a list that RecBole's files hold as text, such as '[64, 32]', since hyperopt takes no lists."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            return parse_literal(value)
    return value
