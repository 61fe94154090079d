from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from helpers import ROOT

PARTS = ("recbole_popaware", "dataset_converters", "properties")


def run(*arguments, **more):
    return subprocess.run([sys.executable, *map(str, arguments)], check=True, text=True, **more)


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


def test_every_console_script_is_named_in_the_readme():
    readme, setup = (ROOT / "README.md").read_text(), (ROOT / "setup.py").read_text()
    scripts = [line.split('"')[1].split(" = ")[0] for line in setup.splitlines() if ":main" in line]
    assert scripts
    for script in scripts:
        assert f"`{script}`" in readme


@pytest.mark.parametrize(("version", "accepted"), [((3, 8), False), ((3, 11), True), ((3, 12), False)])
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
        assert "README" in done.stderr
