"""Each test of this folder, or each of its parameters, has the name of a case in RecBole's own suite.

They are written anew: the behaviour is that of the case, the data and the words are ours. All are slow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from either_recbole import create_dataset, make_config, write_tables
from ml_shape import write_ml_shape

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """RecBole writes logs and checkpoints to the working directory; its log level is changed once for all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pytest"])


@pytest.fixture(scope="session")
def shaped(tmp_path_factory) -> dict[str, Any]:
    """Settings of a data set of ml-100k's shape, and a training of one epoch."""
    folder = tmp_path_factory.mktemp("data")
    write_ml_shape(folder, "shaped", users=40, items=160, plays=2_000)
    columns = {"inter": ["user_id", "item_id", "rating", "timestamp"], "item": ["item_id", "class"]}
    quiet = {"state": "ERROR", "show_progress": False, "normalize_all": True}
    return {"data_path": str(folder), "dataset": "shaped", "load_col": columns, "epochs": 1, **quiet}


@pytest.fixture
def load(tmp_path):
    """Write the tables of a data set, and load it."""

    def make(files: dict[str, str], model: str = "BPR", **more: Any) -> Any:
        return create_dataset(make_config(model, "set", **write_tables(tmp_path, files), **more))

    return make
