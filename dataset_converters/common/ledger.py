"""Bookkeeping of rows: what was read, what was dropped and why."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from typing import IO

from dataset_converters.common.errors import ConversionError

_EXAMPLES = 3
_MOST_REASONS = 20
_IN_MEMORY = 1 << 20  # bytes of rejected lines


class Ledger:
    """Counts rows from the raw file to the written one, and keeps the lines that were no rows.

    Attributes:
        rows_read: Events in the raw data, good or bad.
        dropped: Events left out, by reason.
        notes: What was changed or noticed without dropping an event, with its count.
        examples: The first few rejected lines, shortened.
    """

    def __init__(self, rows_read: int = 0) -> None:
        self.rows_read = rows_read
        self.dropped: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.examples: list[str] = []
        self._rejects: IO[bytes] | None = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *reason: object) -> None:
        if self._rejects is not None:
            self._rejects.close()

    def read(self, rows: int) -> None:
        """Count events of the raw data."""
        self.rows_read += rows

    def drop(self, reason: str, rows: int, otherwise: str = "") -> None:
        """Count events that are left out for one reason.

        Args:
            reason: Why.
            rows: How many.
            otherwise: What to say instead if this reason would be one too many; for reasons that
                the raw data names.
        """
        if otherwise and reason not in self.dropped and len(self.dropped) >= _MOST_REASONS:
            reason = otherwise
        if rows:
            self.dropped[reason] += rows

    def reject(self, reason: str, lines: Iterable[bytes]) -> None:
        """Count lines that are no rows as dropped, and keep them as they are."""
        for line in lines:
            if self._rejects is None:
                # Removed when the ledger closes.
                self._rejects = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # it lives as long as the ledger
            self.drop(reason, 1)
            try:
                self._rejects.write(line.rstrip(b"\r\n") + b"\n")
            except OSError as error:
                where = tempfile.gettempdir()
                raise ConversionError(f"rejected lines cannot be kept in {where}: {error.strerror}") from None
            if len(self.examples) < _EXAMPLES:
                self.examples.append(f"{reason}: {line[:120].decode('utf-8', 'replace').rstrip()!r}")

    @property
    def rejects(self) -> IO[bytes] | None:
        """The rejected lines from the first on, ``None`` if there are none."""
        if self._rejects is not None:
            self._rejects.seek(0)
        return self._rejects

    def note(self, text: str, count: int) -> None:
        """Count something worth a note that drops no event."""
        if count:
            self.notes[text] += count

    def balance(self, rows_written: int) -> None:
        """Check that every event read was either written or dropped.

        Raises:
            ConversionError: The counts do not add up, or nothing is left to write.
        """
        dropped = sum(self.dropped.values())
        if self.rows_read != rows_written + dropped:
            raise ConversionError(
                f"internal error, please report it: {self.rows_read} rows read, "
                f"but {rows_written} written and {dropped} dropped"
            )
        if rows_written == 0:
            raise ConversionError(f"no event is left to write: {self.describe()}")

    def describe(self) -> str:
        """Say in one line how many events were read and why some were dropped."""
        if not self.rows_read:
            return "the raw data holds no events"
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.most_common())
        example = f" (for example {self.examples[0]})" if self.examples else ""
        return f"{self.rows_read:,} read, dropped: {reasons or 'none'}{example}"


class Draft(Ledger):
    """Entries about one block of a file, put into the ledger when it is the block's turn."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Callable[[Ledger], None]] = []

    def read(self, rows: int) -> None:
        """Keep the entry for later, like the other methods."""
        self._entries.append(lambda ledger: ledger.read(rows))

    def drop(self, reason: str, rows: int, otherwise: str = "") -> None:  # noqa: D102  # as in Ledger
        self._entries.append(lambda ledger: ledger.drop(reason, rows, otherwise))

    def reject(self, reason: str, lines: Iterable[bytes]) -> None:  # noqa: D102  # as in Ledger
        kept = list(lines)
        self._entries.append(lambda ledger: ledger.reject(reason, kept))

    def note(self, text: str, count: int) -> None:  # noqa: D102  # as in Ledger
        self._entries.append(lambda ledger: ledger.note(text, count))

    def enter(self, ledger: Ledger) -> None:
        """Make all entries, in the order in which they came."""
        for entry in self._entries:
            entry(ledger)
