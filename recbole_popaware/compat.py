"""What RecBole 1.2.1 needs to run on current Python, NumPy, pandas and torch; nothing happens at import."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from scipy import sparse

from recbole_popaware.errors import UsageError

if TYPE_CHECKING:
    from recbole.utils import FeatureType


class RecBoleMissingError(UsageError, ImportError):
    """RecBole is not installed, which pip does not do by itself on Python 3.12 and later."""

    def __init__(self) -> None:
        super().__init__("RecBole is not installed; install it with: pip install --no-deps recbole==1.2.1")


def import_recbole() -> None:
    """Import RecBole without the warnings of its source, such as Python 3.12's about escape sequences.

    Raises:
        RecBoleMissingError: If RecBole is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in ("recbole", "recbole.trainer", "recbole.model.sequential_recommender"):
                importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == "recbole":
            raise RecBoleMissingError from error
        raise


def missing_package(model: str, error: ModuleNotFoundError) -> UsageError:
    """Say which package a model of RecBole's imports when it is built or trained, such as NCL's faiss."""
    return UsageError(f"{model} needs the package [{error.name}], which is not installed")


@contextmanager
def needs_ray() -> Iterator[None]:
    """Import what runs on Ray.

    Raises:
        UsageError: If that fails, as it does with the Ray that RecBole 1.2.1 asks for on current libraries.
    """
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"--tool=ray needs the Ray of requirements-ray.txt, and what is here cannot be imported "
            f"({error}); run: pip install -r requirements-ray.txt"
        ) from error


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
        The frame with missing tokens as 0 (padding), missing floats as the field's mean (0 where
        all are missing) and missing sequences as empty arrays.
    """
    from recbole.utils import FeatureType

    filled = {}
    for field in frame:
        column, kind = frame[field], types[field]
        if kind == FeatureType.TOKEN:
            filled[field] = column.fillna(0).astype(np.int64)
        elif kind == FeatureType.FLOAT:
            filled[field] = column.fillna(0.0 if column.isna().all() else column.mean())
        else:
            empty = np.empty(0, dtype=np.int64 if kind == FeatureType.TOKEN_SEQ else np.float64)
            filled[field] = column.map(lambda x, empty=empty: empty if isinstance(x, float) else x)
    return frame.assign(**filled)


def number_tokens(columns: list[pd.Series]) -> tuple[list[Any], np.ndarray]:
    """Give every token of some columns a number, as RecBole's ``_remap`` did before pandas 3.

    RecBole measures sequences with ``Series.agg(len)``, which pandas 3 no longer applies to each value.

    Args:
        columns: Tokens (as categories or as text) or arrays of tokens, that share one index.

    Returns:
        The columns as numbers from 1 in order of first appearance (missing tokens 0), and the token of
        each number, ``[PAD]`` first.
    """
    if all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns):
        return _number_categories(columns)
    of_sequences = [column.map(lambda x: isinstance(x, np.ndarray)).all() for column in columns]
    flat = [
        np.concatenate(column.tolist()) if sequences else column.to_numpy(dtype=object)
        for column, sequences in zip(columns, of_sequences, strict=True)
    ]
    numbers, tokens = pd.factorize(np.concatenate(flat))
    numbered: list[Any] = np.split(numbers + 1, np.cumsum([len(part) for part in flat])[:-1])
    for i, column in enumerate(columns):
        if of_sequences[i]:
            lengths = [len(sequence) for sequence in column]
            numbered[i] = np.split(numbered[i], np.cumsum(lengths)[:-1])
    return numbered, _padded(tokens)


def _number_categories(columns: list[pd.Series]) -> tuple[list[Any], np.ndarray]:
    """Number tokens that are categories already, without making text of them."""
    together = columns[0].array if len(columns) == 1 else union_categoricals(columns)
    appear = pd.unique(together.codes)
    appear = appear[appear >= 0]
    number_of = np.zeros(len(together.categories) + 1, dtype=np.int64)  # the last one: of missing tokens
    number_of[appear] = np.arange(1, len(appear) + 1)
    sizes = [len(column) for column in columns]
    numbered = np.split(number_of[together.codes], np.cumsum(sizes)[:-1])
    return numbered, _padded(together.categories[appear])


def _padded(tokens: Iterable[str]) -> np.ndarray:
    # NumPy's own text would give every token the room of the longest, and cut zero bytes off its end.
    return np.array(["[PAD]", *tokens], dtype=object)


@contextmanager
def lengths_of_values() -> Iterator[None]:
    """Let RecBole, while it loads data, measure the sequences of a column with ``Series.agg(len)``.

    pandas 3 applies ``len`` to the column itself, which makes one number of them.
    """
    aggregate = pd.Series.agg

    def lengths(column: pd.Series, func: Any = None, *args: Any, **kwargs: Any) -> Any:
        return column.map(len) if func is len else aggregate(column, func, *args, **kwargs)

    with patch.object(pd.Series, "agg", lengths):
        yield


@contextmanager
def dok_updates() -> Iterator[None]:
    """Let RecBole's graph models, while they are built, fill a ``dok_matrix`` from a dictionary.

    LightGCN, NGCF and others call its ``_update``, which SciPy has removed.
    """
    if hasattr(sparse.dok_matrix, "_update"):
        yield
        return

    def update(matrix: Any, entries: dict[tuple[int, int], float]) -> None:
        matrix._dict.update(entries)  # unchecked, as it was: item by item would take minutes

    with patch.object(sparse.dok_matrix, "_update", update, create=True):
        yield
