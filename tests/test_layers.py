"""Which packages may import which: plays is the ground floor, on which data, model and evaluator meet."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = ROOT / "recbole_popaware"
SHARED = {"plays", "errors", "files", "compat", "distributed"}
ALLOWED = {
    "replay": {"replay", "plays"},
    "plays": {"plays"},
    "serving": {"serving", "errors"},
    "data": {"data", "replay", *SHARED},
    "model": {"model", "replay", *SHARED},
    "evaluator": {"evaluator", *SHARED},
}


def imported(file: Path) -> set[str]:
    """Full names of all modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide what is imported"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_is_below_it(package):
    files = sorted((PACKAGE / package).rglob("*.py"))
    assert len(files) > 1
    for file in files:
        names = [name.split(".") for name in imported(file)]
        ours = {name[1] for name in names if name[0] == "recbole_popaware"}
        assert ours <= ALLOWED[package], file
        assert package != "plays" or "recbole" not in {name[0] for name in names}, file
