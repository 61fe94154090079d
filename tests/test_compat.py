from __future__ import annotations

import inspect
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import recbole.config.configurator
import recbole.data.dataset.sequential_dataset
import recbole.model.general_recommender.lightgcn
from helpers import ROOT
from recbole.utils import FeatureType
from scipy import sparse

from recbole_popaware.compat import (
    RecBoleMissingError,
    dok_updates,
    fill_missing,
    import_recbole,
    lengths_of_values,
    needs_ray,
    number_tokens,
    restore_numpy_aliases,
)
from recbole_popaware.errors import UsageError
from recbole_popaware.quick_start import run_recbole_popaware

INSTALL = "pip install --no-deps recbole==1.2.1"


def test_missing_values_are_filled_by_type():
    frame = pd.DataFrame(
        {
            "token": [1.0, np.nan],
            "number": [4.0, np.nan],
            "names": [np.array([2, 3]), np.nan],
        }
    )
    types = {
        "token": FeatureType.TOKEN,
        "number": FeatureType.FLOAT,
        "names": FeatureType.TOKEN_SEQ,
    }
    filled = fill_missing(frame, types)
    assert filled["token"].tolist() == [1, 0]
    assert filled["token"].dtype == np.int64
    assert filled["number"].tolist() == [4, 4]
    assert [list(x) for x in filled["names"]] == [[2, 3], []]
    assert frame["token"].isna().sum() == 1  # the argument stays as it was


def test_tokens_are_numbered_in_order_of_appearance():
    tokens = pd.Series(["b", None, "a"])
    sequences = pd.Series([np.array(["a", "c"], object), np.array([], object), np.array(["b"], object)])
    (numbers, lists), names = number_tokens([tokens, sequences])
    assert list(names) == ["[PAD]", "b", "a", "c"]
    assert list(numbers) == [1, 0, 2]
    assert [list(x) for x in lists] == [[2, 3], [], [1]]


def test_lengths_of_values_are_measured_one_by_one():
    column = pd.Series([np.array([1, 2]), np.array([]), np.array([3])])
    with lengths_of_values():
        assert column.agg(len).tolist() == [2, 0, 1]
        assert pd.Series([1, 2]).agg("sum") == 3
        assert pd.Series([1, 2]).agg(["sum", "max"]).tolist() == [3, 2]


@pytest.mark.parametrize(
    ("bridge", "module", "line"),
    [
        ("restore_numpy_aliases", recbole.config.configurator, "np.float_"),
        ("fill_missing", recbole.data.dataset.dataset, ".fillna(value=0, inplace=True)"),
        ("number_tokens", recbole.data.dataset.dataset, "np.cumsum(feat[field].agg(len))"),
        ("lengths_of_values", recbole.data.dataset.sequential_dataset, ".agg(len)"),
        ("dok_updates", recbole.model.general_recommender.lightgcn, "._update("),
    ],
)
def test_a_bridge_may_go_when_recbole_does_without(bridge, module, line):
    """The line of RecBole's for whose sake a bridge is there; where it is gone, delete the bridge."""
    assert line in inspect.getsource(module), f"compat.{bridge} may go"


def test_aliases_are_defined_once(monkeypatch):
    monkeypatch.setattr(np, "float_", "kept", raising=False)
    monkeypatch.delattr(np, "unicode_", raising=False)
    restore_numpy_aliases()
    assert vars(np)["float_"] == "kept"
    assert vars(np)["unicode_"] is np.str_


def test_a_dok_matrix_is_filled_while_models_are_built_and_never_else():
    matrix = sparse.dok_matrix((2, 3), dtype=np.float32)
    before = getattr(sparse.dok_matrix, "_update", None)
    with dok_updates():
        matrix._update({(0, 1): 1, (1, 2): 2})
    assert matrix.toarray().tolist() == [[0, 1, 0], [0, 0, 2]]
    assert getattr(sparse.dok_matrix, "_update", None) is before


def test_importing_the_package_imports_nothing_heavy_and_changes_nothing():
    program = """
import sys
import warnings
import numpy as np
warnings.filterwarnings("error", module="recbole_popaware")
import recbole_popaware
assert not {"torch", "recbole", "pandas"} & set(sys.modules)
import recbole_popaware.quick_start
assert not {"float_", "complex_", "unicode_"} & set(vars(np)) or np.__version__ < "2"
assert not {"ray", "recbole.quick_start"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_a_missing_recbole_is_an_import_error_that_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "recbole"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "recbole", None)
    with pytest.raises(ImportError, match=INSTALL) as raised:
        import_recbole()
    assert raised.type is RecBoleMissingError


def test_a_missing_requirement_of_recbole_is_named_itself(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "recbole"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "colorlog", None)
    with pytest.raises(ModuleNotFoundError) as raised:
        import_recbole()
    assert raised.value.name == "colorlog"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("recbole_popaware.cli", ["--model=PopSASRec"]),
        ("recbole_popaware.recommending.__main__", ["--checkpoint=saved.pth"]),
        ("recbole_popaware.experiments.__main__", ["demo"]),
    ],
)
def test_every_command_says_in_one_line_how_to_install_a_missing_recbole(tmp_path, module, arguments):
    program = f"""
import sys
sys.modules["recbole"] = None
from {module} import main
sys.exit(main({arguments}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"error: RecBole is not installed; install it with: {INSTALL}"]
    assert not list(tmp_path.iterdir())


def test_warnings_of_recbole_are_silenced_while_it_is_imported_and_no_others(tmp_path):
    for name in ("__init__", "trainer", "model/__init__", "model/sequential_recommender"):
        file = tmp_path / "recbole" / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("'\\p'\nimport warnings\nwarnings.warn('of its own')\n")
    program = """
import warnings
from recbole_popaware.compat import import_recbole
warnings.simplefilter("error")
import_recbole()
try:
    warnings.warn("another")
except UserWarning:
    print("raised")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, text=True, capture_output=True)
    assert (done.stdout, done.stderr) == ("raised\n", "")


def test_our_source_compiles_without_warnings():
    files = [*ROOT.glob("recbole_popaware/**/*.py"), *ROOT.glob("dataset_converters/**/*.py")]
    assert files
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for file in files:
            compile(file.read_text(), file, "exec")


def test_our_code_causes_no_warnings_in_a_training(toy):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="recbole_popaware")
        run_recbole_popaware(model="PopSASRec", config_dict=toy)


def test_a_ray_that_cannot_be_imported_gets_one_line():
    with pytest.raises(UsageError, match=r"needs the Ray of requirements-ray.*no such thing"), needs_ray():
        raise ModuleNotFoundError("no such thing")
