"""Read YAML as plain values: no tag makes an object, no alias fills the memory, errors name file and line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

from recbole_popaware.errors import UsageError, shown

MAX_BYTES = 1 << 20
MAX_NODES = 100_000  # values, each alias counted as what it refers to
MAX_DEPTH = 50
MAX_DIGITS = 400  # of a number; longer ones take quadratic time

_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_KEY_TAGS = {_PREFIX + "str", _PREFIX + "merge"}
# Reads 1e-3 as a number, which YAML 1.1 takes for text; RecBole's expression.
_FLOAT = re.compile(
    r"""^(?:
     [-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)
    |\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)


class PlainLoader(yaml.SafeLoader):
    """A loader of numbers, words, lists and tables with words as keys; anything else is an error.

    Differs from ``yaml.SafeLoader`` in that only the tags of YAML's core are known, dates stay text,
    ``1e-3`` is a number, and the same key twice, keys that are no text, deep nesting and aliases that
    stand for too much are errors.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _PREFIX + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = self._nodes = 0
        self._sizes: dict[str | None, int] = {}  # nodes behind each anchor that is complete

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Build the tree of a value, within the limits."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs lack it
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self._sizes:
                _fail(f"the alias [*{event.anchor}] is inside of what it refers to", event)
            self._count(self._sizes.get(event.anchor, 0), event)
            return super().compose_node(parent, index)
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") and tag not in _PLAIN_TAGS:
            _fail(f"the tag [{_written(tag)}] is not used here; write plain values", event)
        before = self._nodes
        self._count(1, event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _fail(f"more than {MAX_DEPTH} levels of lists and tables", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._sizes[event.anchor] = self._nodes - before
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Make the value of a node."""
        if node.tag in (_PREFIX + "int", _PREFIX + "float") and len(node.value) > MAX_DIGITS:
            _fail(f"a number of {len(node.value)} characters", node)
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, IndexError) as error:
            raise yaml.MarkedYAMLError(
                problem=f"[{shown(node.value)}] is no {node.tag.rpartition(':')[2]}",
                problem_mark=node.start_mark,
            ) from error

    def _count(self, nodes: int, where: Any) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            _fail(f"more than {MAX_NODES} values, aliases written out", where)


PlainLoader.add_implicit_resolver(_PREFIX + "float", _FLOAT, list("-+0123456789."))


def read_yaml(file: str | os.PathLike[str]) -> Any:
    """Read a YAML file of plain values.

    Returns:
        What it holds; ``None`` where it is empty.

    Raises:
        UsageError: If it cannot be read, is no UTF-8 text or no YAML, or is larger than any settings are.
    """
    text = read_text(file)
    try:
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506  # a SafeLoader that allows still less
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{file}{line}: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = f", line {text.count(chr(10), 0, error.position) + 1}"
        raise UsageError(f"{file}{line}: the character {error.character!r} may not be in YAML") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: {error}") from error


def read_properties(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a YAML file of lines ``property: value``; an empty file has none.

    Raises:
        UsageError: As :func:`read_yaml`, or if it holds something else.
    """
    content = read_yaml(file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"[{shown(content)}]"
        raise UsageError(f"{file}: holds {kind}, but must hold lines of the form `property: value`")
    return content


def read_text(file: str | os.PathLike[str]) -> str:
    """Read a small text file, with or without a byte order mark.

    Raises:
        UsageError: If it cannot be read, is no UTF-8 text, or is larger than any settings are.
    """
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{shown(file)} cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise UsageError(
            f"{file} has more than {MAX_BYTES >> 20} MB, which is too much for a file of settings"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}, line {line}: is not UTF-8 text; save the file as UTF-8") from error


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag not in _KEY_TAGS or not isinstance(key, yaml.ScalarNode):
            written = shown(key.value) if isinstance(key, yaml.ScalarNode) else "a list or table"
            _fail(f"the key [{written}] is no text; write it in quotes", key)
        if key.value in seen and key.tag != _PREFIX + "merge":
            _fail(f"the key [{shown(key.value)}] is there twice", key)
        seen.add(key.value)


def _fail(problem: str, where: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


def _written(tag: str) -> str:
    return shown(tag.replace(_PREFIX, "!!"))
