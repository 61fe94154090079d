from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
from recbole.utils import FeatureType

from recbole_popaware.compat import fill_missing, number_tokens, restore_numpy_aliases


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


def test_aliases_are_defined_once(monkeypatch):
    monkeypatch.setattr(np, "float_", "kept", raising=False)
    monkeypatch.delattr(np, "unicode_", raising=False)
    restore_numpy_aliases()
    assert vars(np)["float_"] == "kept"
    assert vars(np)["unicode_"] is np.str_


def test_importing_the_package_imports_nothing_heavy_and_changes_nothing():
    program = """
import sys
import numpy as np
import recbole_popaware
assert not {"torch", "recbole", "pandas"} & set(sys.modules)
import recbole_popaware.quick_start
assert not {"float_", "complex_", "unicode_"} & set(vars(np)) or np.__version__ < "2"
assert not {"ray", "recbole.quick_start"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
