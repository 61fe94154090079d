"""The output folder: one folder a finished run, made under another name and renamed when it is complete."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recbole_popaware.files import PART, check_folder, locked, one_line, replacing

if TYPE_CHECKING:
    from recbole_popaware.experiments.runs import Run


class RunStore:
    """The runs and their logs in the output folder.

    Args:
        output: The output folder; made if it is missing.
        data_digest: Digest of the data that the runs use.

    Raises:
        UsageError: If the folder cannot be made or written to.
    """

    def __init__(self, output: Path, data_digest: str) -> None:
        self.output = output
        self.data_digest = data_digest
        self._runs = output / "runs"
        self._logs = output / "logs"
        for folder in (output, self._runs, self._logs):
            check_folder(folder, "the folder of the results")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the output to this process, and remove the unfinished runs of those that have died.

        Raises:
            UsageError: If another experiment is using it.
        """
        with locked(self.output, "experiment"):
            for part in self._runs.glob(f"*{PART}"):
                shutil.rmtree(part, ignore_errors=True)
            yield

    def folder(self, run: Run) -> Path:
        """Folder of a finished run."""
        return self._runs / run.key

    def part(self, run: Run) -> Path:
        """Folder of a run that has not finished."""
        return self._runs / f"{run.key}{PART}"

    def log(self, run: Run) -> Path:
        """File with all that a run prints."""
        return self._logs / f"{run.key}.log"

    def is_finished(self, run: Run) -> bool:
        """Whether the run has finished with exactly the settings and data that it has now."""
        try:
            result = json.loads((self.folder(run) / "result.json").read_text())
        except (OSError, ValueError):
            return False
        return isinstance(result, dict) and result.get("fingerprint") == run.fingerprint(self.data_digest)

    def begin(self, run: Run, dataset: str) -> Path:
        """Make the folder in which a run works, with the file that says what it is to do.

        The results of an earlier run are removed: if this one fails, old numbers are not taken for its own.
        """
        shutil.rmtree(self.folder(run), ignore_errors=True)
        part = self.part(run)
        shutil.rmtree(part, ignore_errors=True)
        with one_line(f"{part} cannot be made"):
            part.mkdir()
        job = {
            "model": run.system.model,
            "dataset": dataset,
            "settings": dict(run.settings),
            "fingerprint": run.fingerprint(self.data_digest),
        }
        write_text(part / "job.json", json.dumps(job))
        return part

    def finish(self, run: Run) -> None:
        """Call a run's folder by its final name."""
        self.part(run).rename(self.folder(run))

    def abandon(self, run: Run) -> None:
        """Remove what an unfinished run has left."""
        shutil.rmtree(self.part(run), ignore_errors=True)


def write_text(file: Path, text: str) -> None:
    """Write a text file in one step."""
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8")


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step; numbers that JSON does not know become null."""
    write_text(file, json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
