from __future__ import annotations

import ast
import inspect
import os
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string

import pytest
from helpers import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from recbole_popaware.compat import import_recbole

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PARTS = ("recbole_popaware", "dataset_converters", "properties")


def run(*arguments, **more):
    return subprocess.run([sys.executable, *map(str, arguments)], check=True, text=True, **more)


def _metadata(wheel, file):
    """Text of a file of the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(f".dist-info/{file}")]
        return archive.read(name).decode()


def _applies(requirement, python, extra=""):
    environment = {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def _requirements(wheel, python, extras=("",)):
    """Names of what the wheel asks for on one version of Python."""
    lines = message_from_string(_metadata(wheel, "METADATA")).get_all("Requires-Dist")
    asked = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name) for r in asked for extra in extras if _applies(r, python, extra)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for part in PARTS:
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.py", "README.md", "LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / file, source)
    out = tmp_path_factory.mktemp("wheel")
    run("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, source)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_the_properties_and_the_demo(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (
        ("properties", "recbole_popaware/properties"),
        ("recbole_popaware/dataset_example", "recbole_popaware/dataset_example"),
    ):
        files = {f.relative_to(ROOT / folder) for f in (ROOT / folder).rglob("*.*") if f.is_file()}
        assert files
        assert {f"{inside}/{f.as_posix()}" for f in files} <= names
    assert not any(name.startswith(("tests", "benchmarks")) for name in names)


def test_an_installed_wheel_runs_outside_the_checkout(wheel, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    run("-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = "import recbole_popaware; print(recbole_popaware.__file__)"
    location = run("-c", where, cwd=work, env=environment, capture_output=True).stdout
    assert location.startswith(str(site))
    for name in ("", "-convert", "-recommend", "-experiment"):
        script = f"recbole-popaware{name}"
        run(site / "bin" / script, "--help", cwd=work, env=environment, capture_output=True)
    command = [site / "bin" / "recbole-popaware", "--model=PersonalizedMostPop", "--show_progress=False"]
    result = run(*command, cwd=work, env=environment, capture_output=True)
    assert "PersonalizedMostPop on demo" in result.stdout


def test_every_console_script_is_named_in_the_readme(wheel):
    readme = (ROOT / "README.md").read_text()
    lines = _metadata(wheel, "entry_points.txt").splitlines()
    scripts = [line.split(" = ")[0] for line in lines if line.endswith(":main")]
    assert len(scripts) == 5
    for script in scripts:
        assert f"`{script}`" in readme


@pytest.mark.parametrize("python", PYTHONS)
def test_the_wheel_asks_for_recbole_where_pip_can_install_it(wheel, python):
    assert ("recbole" in _requirements(wheel, python)) == (python in ("3.10", "3.11"))


def test_the_wheel_asks_for_all_that_recbole_imports_where_pip_cannot_install_it(wheel):
    import_recbole()
    imported = set()
    for name in [name for name in sys.modules if name.startswith("recbole.")]:
        for statement in ast.parse(inspect.getsource(sys.modules[name])).body:
            if isinstance(statement, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom) and not statement.level:
                imported.add(statement.module.split(".")[0])
    third_party = imported - set(sys.stdlib_module_names) - {"recbole"}
    assert {"torch", "colorlog", "sklearn"} <= third_party
    distributions = {"sklearn": "scikit-learn", "yaml": "pyyaml"}
    needed = {distributions.get(name, name) for name in third_party}
    assert needed | {"tensorboard"} <= _requirements(wheel, "3.12")  # torch.utils.tensorboard imports that


@pytest.mark.parametrize("python", PYTHONS)
def test_the_constraints_pin_every_requirement_once_on_every_python(wheel, python):
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    names = [canonicalize_name(pin.name) for pin in pins if _applies(pin, python)]
    assert len(names) == len(set(names))
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    needed = _requirements(wheel, python, ("tune", "test", "docs")) - {"recbole-popaware", "setuptools"}
    assert needed <= set(names)


@pytest.mark.parametrize(("version", "accepted"), [((3, 9), False), ((3, 10), True), ((3, 14), True)])
def test_make_says_which_python_it_needs(tmp_path, version, accepted):
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nif [ "$1" = -c ]; then exec {sys.executable} -c '
        f'"import sys; sys.version_info = {version}; $(printf %s "$2")"; fi\n'
        f'if [ "$1" = --version ]; then echo Python {version[0]}.{version[1]}.0; exit; fi\n'
        "echo made >&2; exit 9\n"
    )
    python.chmod(0o755)
    command = ["make", "-C", str(ROOT), "demo", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    if accepted:
        assert "made" in done.stderr
    else:
        assert f"Python {version[0]}.{version[1]}.0" in done.stderr
        assert "Python 3.10 or later" in done.stderr
