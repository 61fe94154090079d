"""Each test of this folder, or each of its parameters, has the name of a case in RecBole's own suite.

They are written anew: the behaviour is that of the case, the data and the words are ours. All are slow.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from either_recbole import STOCK, create_dataset, make_config, write_tables
from ml_shape import write_ml_shape

HERE = Path(__file__).parent

# Cases that fail here by intention; docs/recbole.md says why.
EXCEPTIONS = {
    "test_split[TO_RS_820]": "a test part must have rows",
    "test_split[RO_RS_820]": "a test part must have rows",
    "test_overall[learner]": "a learner that is not known is refused",
    "test_overall[learning_rate]": "a learning rate of 0 is refused",
    "test_context[xgboost]": "decision trees",
    "test_context[lightgbm]": "decision trees",
}
NEED = {
    "test_general[NCL]": "faiss",
    **dict.fromkeys((f"test_knowledge[kgat{way}]" for way in ("", "_with_gcn", "_with_graphsage")), "dgl"),
    **dict.fromkeys(("test_knowledge[kgin]", "test_knowledge[mcclk]"), "torch_scatter"),
    **({"test_context[xgboost]": "xgboost", "test_context[lightgbm]": "lightgbm"} if STOCK else {}),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases of this folder: slow, skipped for want of a package, or failing by intention."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.slow)
        package = NEED.get(item.name)
        if package is not None and importlib.util.find_spec(package) is None:
            item.add_marker(pytest.mark.skip(reason=f"{package} is not installed"))
        elif item.name in EXCEPTIONS and not STOCK:
            item.add_marker(pytest.mark.xfail(reason=EXCEPTIONS[item.name], strict=True))


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
