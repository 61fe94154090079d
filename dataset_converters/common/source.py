"""What a source of listening logs is to the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from dataset_converters.common.ledger import Ledger
from dataset_converters.common.options import OptionsT
from dataset_converters.common.schema import RawLog


@dataclass(frozen=True)
class Source(Generic[OptionsT]):
    """One kind of raw log.

    Attributes:
        about: A line of help.
        raw: What RAW is; empty if the source reads nothing.
        options: Dataclass of the options that only this source has; see ``common.options``.
        open: Starts reading RAW, and counts what it reads in the ledger.
    """

    about: str
    raw: str
    options: type[OptionsT]
    open: Callable[[Path, OptionsT, Ledger], RawLog]
