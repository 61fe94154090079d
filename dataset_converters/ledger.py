"""Bookkeeping of rows: what was read, what was dropped and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dataset_converters.errors import ConversionError


@dataclass
class Ledger:
    """Counts rows from the raw file to the written one.

    Attributes:
        rows_read: Events found in the raw data, good or bad.
        dropped: Events left out, by reason.
        notes: What was changed or noticed without dropping an event, with its count.
    """

    rows_read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def read(self, rows: int) -> None:
        """Count events found in the raw data."""
        self.rows_read += rows

    def drop(self, reason: str, rows: int) -> None:
        """Count events that are left out for one reason."""
        if rows:
            self.dropped[reason] += rows

    def note(self, text: str, count: int) -> None:
        """Count something worth telling that drops no event."""
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
        return f"{self.rows_read:,} read, dropped: {reasons or 'none'}"
