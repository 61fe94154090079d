"""What RecBole 1.2.1 needs to run on current NumPy, pandas and torch; nothing happens at import."""

from __future__ import annotations

import numpy as np
import pandas as pd
from recbole.utils import FeatureType


def restore_numpy_aliases() -> None:
    """Define the three NumPy names that RecBole's ``Config`` reads and NumPy 2 removed (issue #2215)."""
    for alias, scalar in (
        ("float_", np.float64),
        ("complex_", np.complex128),
        ("unicode_", np.str_),
    ):
        if alias not in vars(np):
            setattr(np, alias, scalar)


def fill_missing(frame: pd.DataFrame, types: dict[str, FeatureType]) -> pd.DataFrame:
    """Fill missing values by RecBole's rules, in a way that pandas 3 does not undo.

    RecBole calls ``frame[field].fillna(..., inplace=True)``, which fills a copy under pandas 3.

    Args:
        frame: One of a data set's feature frames, ids already remapped to integers.
        types: RecBole type of each field.

    Returns:
        The frame with missing tokens as 0 (padding), missing floats as the field's mean and missing
        sequences as empty arrays.
    """
    filled = {}
    for field in frame:
        column, kind = frame[field], types[field]
        if kind == FeatureType.TOKEN:
            filled[field] = column.fillna(0).astype(np.int64)
        elif kind == FeatureType.FLOAT:
            filled[field] = column.fillna(column.mean())
        else:
            empty = np.empty(0, dtype=np.int64 if kind == FeatureType.TOKEN_SEQ else np.float64)
            filled[field] = column.map(lambda x, empty=empty: empty if isinstance(x, float) else x)
    return frame.assign(**filled)
