"""The log of a run: in a file of its own from the start, on the console once there is nothing to mend.

A mistake in settings or data gets one line, and hundreds of lines of settings would hide it. So what
goes to the console waits until :func:`show`, or until the run has ended in any way but by a mistake.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

import colorlog  # comes with RecBole

from recbole_popaware.errors import UsageError
from recbole_popaware.files import check_folder, unique_name

ROOT = Path("log")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMAT = "%(asctime)-15s %(levelname)s  %(message)s"
_COLORS = {"DEBUG": "cyan", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_ESCAPES = re.compile(r"\x1B\[[0-?]*[ -/]*[@-~]")


def init_logger(config: Any) -> None:
    """Log to a new file, and to the console once :func:`show` is called; RecBole's ``init_logger``.

    Differs from stock in that no two runs share a file, in what the console waits for, and in that a second
    run in the same process has a file of its own. Handlers of others stay, and then there is no console.

    Raises:
        UsageError: If the file cannot be written.
    """
    state = str(config["state"] or "INFO").upper()
    level = getattr(logging, state) if state in _LEVELS else logging.INFO
    file = _LogFile(_new_file(config), level)
    root, console = logging.getLogger(), _console()
    for old in [handler for handler in root.handlers if isinstance(handler, _LogFile)]:
        root.removeHandler(old)
        old.close()
    if console is None and not root.handlers:
        console = _add_console()
    if console is not None:
        root.setLevel(level)
        console.keep(level)
        for record in console.buffer:
            file.handle(record)
    root.addHandler(file)


def log_settings(config: Any) -> None:
    """Log all settings in the file; hundreds of lines are too long for the console, which names the file."""
    logger, name = logging.getLogger(__name__), run_name()
    logger.info(config, extra={"file_only": True})
    if name:
        logger.info("the settings are in %s", ROOT / config["model"] / f"{name}.log")


def hold() -> None:
    """Keep warnings, Python's too, back until :func:`show`, where nobody has set up a log yet."""
    if not logging.getLogger().handlers:
        _add_console()
        logging.captureWarnings(True)


@contextmanager
def quiet_if_refused() -> Iterator[None]:
    """Forget what was kept back if there is a mistake of the user, and show it whatever else happens."""
    try:
        yield
    except UsageError:
        forget()
        raise
    except BaseException:
        show()
        raise
    show()


def show() -> None:
    """Let the console have what was kept back, and all that follows at once."""
    console = _console()
    if console is not None:
        console.flushLevel = logging.NOTSET
        console.flush()


def forget() -> None:
    """Take our handlers away, and with them what was kept back."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, (_Console, _LogFile))]:
        root.removeHandler(handler)
        with suppress(OSError):  # the disk was full before
            handler.close()


def run_name() -> str | None:
    """Name of the run whose log is written, if there is one; its other files are named after it."""
    files = [handler for handler in logging.getLogger().handlers if isinstance(handler, _LogFile)]
    return Path(files[-1].baseFilename).stem if files else None


class _Plain(logging.Formatter):
    """Leaves out the colours that RecBole puts into its messages."""

    def format(self, record: logging.LogRecord) -> str:
        return _ESCAPES.sub("", super().format(record))


class _LogFile(logging.FileHandler):
    """A log of one run, that ends the run where it cannot be written."""

    def __init__(self, file: Path, level: int) -> None:
        super().__init__(file, mode="x", encoding="utf-8")
        self.setLevel(level)
        self.setFormatter(_Plain(_FORMAT, "%a %d %b %Y %H:%M:%S"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise UsageError(f"log {self.baseFilename} cannot be written: {error.strerror}") from error
        super().handleError(record)


class _Console(MemoryHandler):
    """Keeps records for standard error."""

    def __init__(self) -> None:
        stream = logging.StreamHandler()
        super().__init__(sys.maxsize, flushLevel=sys.maxsize, target=stream, flushOnClose=False)
        self.setLevel(logging.WARNING)
        self.addFilter(lambda record: not hasattr(record, "file_only"))
        stream.setFormatter(_Plain("%(message)s"))

    def keep(self, level: int) -> None:
        """Keep records from a level up, and lay them out as RecBole does."""
        self.setLevel(level)
        self.buffer = [record for record in self.buffer if record.levelno >= level]
        date, colored = "%d %b %H:%M", f"%(log_color)s{_FORMAT}"
        formatter = (
            colorlog.ColoredFormatter(colored, date, log_colors=_COLORS)
            if sys.stderr.isatty()
            else _Plain(_FORMAT, date)
        )
        assert self.target is not None  # noqa: S101  # for the type checker
        self.target.setFormatter(formatter)


def _console() -> _Console | None:
    consoles = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Console)]
    return consoles[0] if consoles else None


def _add_console() -> _Console:
    console = _Console()
    logging.getLogger().addHandler(console)
    return console


def _new_file(config: Any) -> Path:
    folder = check_folder(ROOT / config["model"], "the folder of the log")
    name = unique_name(f"{config['model']}-{config['dataset']}")
    return folder / f"{name}.log"
