"""What all tests share: isolation from RecBole's habits, and small data sets written on the spot."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import SMALL, looping_plays, write_atomic
from hypothesis import settings

HERE = Path(__file__).parent

settings.register_profile("any speed", deadline=None)  # a busy machine is no failure
settings.load_profile("any speed")


@pytest.fixture(autouse=True)
def _isolated(tmp_path, monkeypatch):
    """RecBole parses the command line, writes to the working directory and keeps its log handlers."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return json.loads((HERE / "golden" / "reference_values.json").read_text())


@pytest.fixture
def toy(tmp_path) -> dict[str, Any]:
    """Settings of a small data set that lies in the test's own folder."""
    write_atomic(tmp_path / "data", "toy", looping_plays())
    return {**SMALL, "data_path": str(tmp_path / "data"), "dataset": "toy"}
