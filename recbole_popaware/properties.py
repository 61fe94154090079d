"""Where the property files are; :mod:`.schema` says what the properties in them may be."""

from __future__ import annotations

from pathlib import Path

from recbole_popaware.schema import check_values as check

__all__ = ["EXAMPLES", "FOLDER", "check"]

_HERE = Path(__file__).parent
# A wheel carries the files inside the package; a checkout has them beside it.
FOLDER = _HERE / "properties" if (_HERE / "properties").is_dir() else _HERE.parent / "properties"
EXAMPLES = _HERE / "dataset_example"
