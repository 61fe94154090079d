"""The outcome of each trial, in a file that is complete at any time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from recbole_popaware.errors import UsageError
from recbole_popaware.files import check_folder, replacing


class Trial(NamedTuple):
    """One point of the space, tried.

    Attributes:
        key: A hash of all settings of the trial, tuned or not.
        params: The tuned properties.
        score: The validation measure; ``None`` if the trial failed.
        bigger: Whether a greater score is better.
        valid: All measures of the best epoch on the validation part.
        test: The same on the test part.
        seconds: Training with validation.
        checkpoint: The file of the weights, while they are the best.
        error: Why the trial failed.
    """

    key: str
    params: dict[str, Any]
    score: float | None = None
    bigger: bool = True
    valid: dict[str, float] | None = None
    test: dict[str, float] | None = None
    seconds: float = 0.0
    checkpoint: str | None = None
    error: str | None = None

    def as_text(self) -> str:
        """One line of JSON."""
        return json.dumps(self._asdict())

    @classmethod
    def from_text(cls, line: str) -> Trial:
        """Read what :meth:`as_text` wrote.

        Raises:
            ValueError: If it did not.
        """
        try:
            return cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(str(error)) from error

    def beats(self, other: Trial | None) -> bool:
        """Whether this trial is better than another, which may be none or failed."""
        if self.score is None or other is None or other.score is None:
            return self.score is not None
        return self.score > other.score if self.bigger else self.score < other.score


class TuningResult(NamedTuple):
    """The outcome of a search.

    Attributes:
        model: The model's name.
        dataset: The data set's name.
        measure: The measure that trials are compared by, on the validation part, such as ``ndcg@10``.
        best: The best trial; its ``params`` are the properties to use, its ``checkpoint`` has the weights.
        trials: All distinct trials in the order in which they were tried or looked up, failed ones included.
        file: The results file.
    """

    model: str
    dataset: str
    measure: str
    best: Trial
    trials: tuple[Trial, ...]
    file: Path

    @property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials that did not fail, best first."""
        finished = [trial for trial in self.trials if trial.score is not None]
        return tuple(sorted(finished, key=lambda trial: trial.score or 0, reverse=self.best.bigger))


class Results:
    """The trials of a file, JSON one a line; each new one is written at once, and never half of it.

    Args:
        file: The file; trials that are in it already are known.

    Raises:
        UsageError: If anything else is in the file.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self.trials: dict[str, Trial] = {}
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
            check_folder(self.file.parent, "the folder of output_file")
            for line in lines:
                trial = Trial.from_text(line)
                self.trials[trial.key] = trial
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(
                f"output_file [{file}] cannot be used: {error}; name a new file or one that a search wrote"
            ) from error

    def add(self, trial: Trial) -> None:
        """Add a trial, or replace it by a newer state."""
        self.trials[trial.key] = trial
        with replacing(self.file) as part:
            part.write_text("".join(t.as_text() + "\n" for t in self.trials.values()), encoding="utf-8")


def trials_folder(file: Path) -> Path:
    """Folder of the trials' weights, named after the file of the results."""
    return file.with_suffix("") if file.suffix else file.with_name(f"{file.name}.trials")
