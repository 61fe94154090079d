"""Read an experiment file: which systems, on which data, with which settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recbole_popaware import properties
from recbole_popaware.errors import UsageError, did_you_mean, shown
from recbole_popaware.safe_yaml import read_yaml
from recbole_popaware.schema.checks import is_number

FOLDER = properties.FOLDER / "experiments"
# Names become folders.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True)
class RawSource:
    """The raw file that the data of an experiment are converted from.

    Attributes:
        get: Which file to get from where, for people.
        source: SOURCE of ``python -m dataset_converters``.
        options: Further arguments of that command.
    """

    get: str
    source: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class System:
    """One row of the comparison.

    Attributes:
        name: Its name in all tables and plots.
        model: Model class by name.
        settings: Its own properties, which win over those that all share.
        base: Name of the system that it is a variant of and is compared with, if any.
    """

    name: str
    model: str
    settings: Mapping[str, Any]
    base: str | None = None


@dataclass(frozen=True)
class Published:
    """Results that others have published, to be shown beside those of the experiment.

    Attributes:
        source: Where, and of what.
        rows: Values of each of their systems by measure, such as ``NDCG@10``.
    """

    source: str
    rows: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Plan:
    """What an experiment file says."""

    name: str
    dataset: str
    systems: tuple[System, ...]
    settings: Mapping[str, Any]
    raw: RawSource | None = None
    published: Published | None = None

    def pick(self, names: Sequence[str]) -> tuple[System, ...]:
        """Find systems by name, all of them if no name is given.

        Raises:
            UsageError: If there is no system of that name.
        """
        known = [system.name for system in self.systems]
        for name in names:
            _accept(name, known, f"system [{name}] is not in experiment [{self.name}], which has")
        return tuple(system for system in self.systems if not names or system.name in names)


def find_plan(name: str) -> Path:
    """Find an experiment file by path, or by the name of one that comes with the package.

    Raises:
        UsageError: If there is none.
    """
    for path in (Path(name), FOLDER / f"{name}.yaml"):
        if os.path.isfile(path):  # noqa: PTH113  # Path.is_file raises where a name is too long
            return path
    shipped = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
    raise UsageError(f"experiment file [{shown(name)}] is not there; those of the package are {shipped}")


def read_plan(file: Path) -> Plan:
    """Read an experiment file.

    Raises:
        UsageError: If it is no YAML, lacks a key, or has one too many.
    """
    where = f"experiment file {file}"
    try:
        content = read_yaml(file)
    except UsageError as error:
        raise UsageError(f"experiment file {error}") from error
    content = _table(content, where, ("dataset", "systems"), ("name", "settings", "raw", "published"))
    return Plan(
        name=_name(content.get("name", file.stem), f"{where}: name"),
        dataset=_name(content["dataset"], f"{where}: dataset"),
        systems=_systems(content["systems"], where),
        settings=_settings(content.get("settings"), where),
        raw=_raw(content.get("raw"), where),
        published=_published(content.get("published"), where),
    )


def _systems(listed: Any, where: str) -> tuple[System, ...]:
    if not (isinstance(listed, list) and listed):
        raise UsageError(f"{where}: systems must be a list of at least one system")
    systems = tuple(_system(entry, f"{where}: system {i}") for i, entry in enumerate(listed, start=1))
    names = [system.name for system in systems]
    for name in names:
        if [n.lower() for n in names].count(name.lower()) > 1:
            raise UsageError(f"{where}: two systems are named [{name}], upper and lower case apart")
    for system in systems:
        if system.base is not None:
            others = [name for name in names if name != system.name]
            message = f"{where}: base [{system.base}] of [{system.name}] is no other system; there are"
            _accept(system.base, others, message)
    return systems


def _system(entry: Any, where: str) -> System:
    content = _table(entry, where, ("name", "model"), ("settings", "base"))
    where = f"{where} [{shown(content['name'])}]"
    name, model = _name(content["name"], f"{where}: name"), _word(content["model"], f"{where}: model")
    base = None if content.get("base") is None else _word(content["base"], f"{where}: base")
    return System(name, model, _settings(content.get("settings"), where), base)


def _raw(content: Any, where: str) -> RawSource | None:
    if content is None:
        return None
    content = _table(content, f"{where}: raw", ("get", "source"), ("options",))
    options = content.get("options") or []
    if not isinstance(options, list):
        raise UsageError(
            f"{where}: raw: options must be a list of arguments, such as [--sample-items, 30000]"
        )
    arguments = tuple(_word(option, f"{where}: raw: an option") for option in options)
    get, source = (_word(content[key], f"{where}: raw: {key}") for key in ("get", "source"))
    return RawSource(get, source, arguments)


def _published(content: Any, where: str) -> Published | None:
    if content is None:
        return None
    where = f"{where}: published"
    content = _table(content, where, ("source", "rows"), ())
    rows = content["rows"]
    if not (isinstance(rows, dict) and all(isinstance(row, dict) for row in rows.values())):
        raise UsageError(f"{where}: rows must be lines of the form `system: {{measure: value}}`")
    for value in (value for row in rows.values() for value in row.values()):
        if not is_number(value):
            raise UsageError(f"{where}: a value is [{shown(value)}], but must be a number")
    values = {str(name): {str(m): float(x) for m, x in row.items()} for name, row in rows.items()}
    return Published(_word(content["source"], f"{where}: source"), values)


def _settings(content: Any, where: str) -> dict[str, Any]:
    settings = {} if content is None else content
    if not (isinstance(settings, dict) and all(isinstance(key, str) for key in settings)):
        raise UsageError(f"{where}: settings must be lines of the form `property: value`")
    for key in ("model", "dataset"):
        if key in settings:
            raise UsageError(f"{where}: {key} does not belong into settings; it has a key of its own")
    return settings


def _table(content: Any, where: str, needed: Sequence[str], optional: Sequence[str]) -> dict[str, Any]:
    """Check that something is a mapping with all of the needed keys and no unknown one."""
    if not isinstance(content, dict):
        raise UsageError(f"{where} must have keys: {', '.join(needed)} (and maybe {', '.join(optional)})")
    for key in needed:
        if content.get(key) is None:
            raise UsageError(f"{where} lacks the key [{key}]")
    for key in content:
        _accept(str(key), [*needed, *optional], f"{where} has the unknown key [{shown(key)}]; known are")
    return content


def _name(value: Any, where: str) -> str:
    name = _word(value, where)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{where} is [{shown(name)}], but must be of letters, digits and . _ + -, 100 of them at most"
        )
    return name


def _word(value: Any, where: str) -> str:
    if not isinstance(value, (str, int, float)):
        raise UsageError(f"{where} is [{shown(value)}], but must be a word")
    return str(value)


def _accept(name: str, accepted: Sequence[str], otherwise: str) -> None:
    if name not in accepted:
        raise UsageError(f"{otherwise} {', '.join(accepted)}{did_you_mean(name, accepted)}")
