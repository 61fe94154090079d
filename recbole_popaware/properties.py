"""Where the property files are; :mod:`.schema` says what the properties in them may be."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import recbole

from recbole_popaware.safe_yaml import read_properties
from recbole_popaware.schema import check_values as check

__all__ = ["EXAMPLES", "FOLDER", "STOCK", "check", "of_stock_models"]

_HERE = Path(__file__).parent
# A wheel carries the files inside the package; a checkout has them beside it.
FOLDER = _HERE / "properties" if (_HERE / "properties").is_dir() else _HERE.parent / "properties"
EXAMPLES = _HERE / "dataset_example"
STOCK = Path(recbole.__file__).parent / "properties"


@cache
def of_stock_models() -> frozenset[str]:
    """Names of all properties of RecBole's models."""
    return frozenset(name for file in STOCK.glob("model/*.yaml") for name in read_properties(file))
