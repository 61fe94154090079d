"""Where TensorBoard's curves go: a folder that may be chosen, written by one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import recbole.trainer.trainer
from torch.utils.tensorboard import SummaryWriter

from recbole_popaware.files import check_folder, one_line, unique_name
from recbole_popaware.log import run_name

TITLE = "the folder of TensorBoard's curves"
ROOT = Path("log_tensorboard")  # RecBole's


class SilentWriter:
    """A writer that writes nothing, for all processes but the first."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


Writer = SummaryWriter | SilentWriter


def open_writer(folder: str | None, first: bool) -> Writer:
    """Open the writer of curves.

    Args:
        folder: Where they go; ``None``: a folder in :data:`ROOT`, named after the log.
        first: Whether this process is the one that writes.

    Raises:
        UsageError: If they cannot be written.
    """
    if not first:
        return SilentWriter()
    where = check_folder(folder or ROOT / (run_name() or unique_name("model")), TITLE)
    threading.excepthook = _silence_writers
    with one_line(f"{TITLE} [{where}] cannot be written to"):
        return SummaryWriter(str(where))


def _silence_writers(args: threading.ExceptHookArgs) -> None:
    """Say nothing of a writer's thread that failed: the training's next curve raises the same."""
    if not type(args.thread).__module__.startswith("tensorboard."):
        threading.__excepthook__(args)


@contextmanager
def no_stock_writer() -> Iterator[None]:
    """Keep RecBole's trainer from opening a writer of its own, in a folder of its own."""
    with patch.object(recbole.trainer.trainer, "get_tensorboard", lambda _: None):
        yield
