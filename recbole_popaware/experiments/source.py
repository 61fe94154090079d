"""Make sure that the data of an experiment are there; convert the raw file if asked to."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import recbole_popaware
from recbole_popaware.errors import UsageError

if TYPE_CHECKING:
    from recbole_popaware.experiments.plan import Plan


def ensure_data(plan: Plan, file: Path, raw: Path | None) -> None:
    """Check that the atomic file is there, or make it.

    Args:
        plan: The experiment.
        file: The ``.inter`` file it needs.
        raw: The raw file to convert if that file is missing.

    Raises:
        UsageError: If it is missing and cannot be made; the message says how to make it.
    """
    if file.is_file():
        return
    arguments = converter_arguments(plan, str(raw or "RAW"), file.parent.parent)
    if raw is None:
        raise UsageError(f"{file} is not there; {_how_to_get_it(plan, arguments)}")
    if not arguments:
        raise UsageError(f"{file} is not there, and the experiment file does not say how to convert {raw}")
    if not raw.exists():
        raise UsageError(f"raw file {raw} is not there; {_how_to_get_it(plan, arguments)}")
    done = subprocess.run([sys.executable, *arguments], env=child_environment(), check=False)  # noqa: S603  # our own converter
    if done.returncode or not file.is_file():
        raise UsageError(
            f"the converter failed (exit code {done.returncode}): python {shlex.join(arguments)}"
        )


def converter_arguments(plan: Plan, raw: str, folder: Path) -> Sequence[str]:
    """Arguments of ``python`` that convert the raw file; none if the plan names no raw source."""
    if plan.raw is None:
        return ()
    out = os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)
    return ("-m", "dataset_converters", plan.raw.source, raw, out, "--name", plan.dataset, *plan.raw.options)


def child_environment(threads: int | None = None) -> dict[str, str]:
    """Environment for a Python process that can import what this one imports, wherever it runs.

    Args:
        threads: Most threads that its arithmetic may use.
    """
    package_root = str(Path(recbole_popaware.__file__).resolve().parent.parent)
    paths = [package_root, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    if threads is not None:
        environment.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    return environment


def digest(file: Path) -> str:
    """SHA-256 of a file, a gigabyte in a second or two."""
    sha = hashlib.sha256()
    with file.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            sha.update(block)
    return sha.hexdigest()


def _how_to_get_it(plan: Plan, arguments: Sequence[str]) -> str:
    if plan.raw is None:
        return "put it there, or say with --data_path=FOLDER where data sets are"
    command = shlex.join(arguments)
    return f"get {plan.raw.get}, then run: python {command} (or add --raw RAW to this command, which runs it)"
