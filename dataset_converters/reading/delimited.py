"""Lines of fields: CSV and TSV, parsed in blocks, with every line either a row or a reject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from dataset_converters.common.ahead import each_block
from dataset_converters.common.errors import ConversionError
from dataset_converters.common.ledger import Ledger

ToEvents = Callable[[list[pa.Array], Ledger], pa.RecordBatch]
"""Makes a batch of events from columns of strings, and counts what it leaves out."""

_MOST_FIELDS, _LONGEST_HEADER = 10_000, 1 << 20


@dataclass(frozen=True)
class Dialect:
    """How a line is cut into fields.

    Attributes:
        columns: Number of fields.
        delimiter: One character.
        quoted: Whether fields may be enclosed in ``"``; else quotes are characters like any other.
    """

    columns: int
    delimiter: str = "\t"
    quoted: bool = False

    @property
    def fault(self) -> str:
        """Reason to reject a line."""
        name = {"\t": "tab", ",": "comma"}.get(self.delimiter, repr(self.delimiter))
        return f"line without {self.columns} {name}-separated fields"


def split_header(blocks: Iterator[bytes], ledger: Ledger) -> tuple[bytes, Iterator[bytes]]:
    """Return the first line, empty if there is none, and the blocks of the others.

    Args:
        blocks: Whole lines.
        ledger: Counts the empty lines before the first one as rows dropped.
    """
    for block in blocks:
        text = block.lstrip(b" \r\n")
        empty = block[: len(block) - len(text)].count(b"\n")
        ledger.read(empty)
        ledger.drop("empty line", empty)
        if text:
            # The line begins behind the last empty one; spaces before a name belong to it.
            start = block.rfind(b"\n", 0, len(block) - len(text)) + 1
            cut = block.find(b"\n", start) + 1
            rest = [block[cut:]] if len(block) > cut else []
            return block[start:cut].rstrip(b"\r\n"), chain(rest, blocks)
    return b"", iter(())


def split_fields(line: bytes, delimiter: str, quoted: bool, name: str) -> list[str]:
    """Cut a header line into names.

    Args:
        line: The line.
        delimiter: One character.
        quoted: As in ``Dialect``.
        name: The file's name.

    Raises:
        ConversionError: It is not UTF-8, no line of that kind, or far too long.
    """
    fields = line.count(delimiter.encode()) + 1
    if fields > _MOST_FIELDS or len(line) > _LONGEST_HEADER:
        raise ConversionError(
            f"{name} begins with a line of {fields:,} fields, {len(line):,} bytes: no header"
        )
    options = pa_csv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False)
    # A line may be longer than the blocks that Arrow reads by default.
    read = pa_csv.ReadOptions(autogenerate_column_names=True, block_size=len(line) + 2)
    try:
        (row,) = pa_csv.read_csv(pa.BufferReader(line + b"\n"), read, options, _all_texts(fields)).to_pylist()
    except (pa.ArrowException, ValueError) as error:
        raise ConversionError(f"{name}: the header line {line[:80]!r} cannot be read: {error}") from None
    return list(row.values())


def check_header(header: bytes, dialect: Dialect, time_column: int, name: str) -> None:
    """Check that a file begins with a header line of the right number of fields.

    Args:
        header: The first line.
        dialect: How lines are cut.
        time_column: Index of the field that has digits in every line but this.
        name: The file's name.

    Raises:
        ConversionError: It does not. An empty file passes: it has no rows to get wrong.
    """
    if not header:
        return
    names = split_fields(header, dialect.delimiter, dialect.quoted, name)
    if len(names) != dialect.columns:
        raise ConversionError(
            f"{name} begins with a {dialect.fault}: {header[:80].decode('utf-8', 'replace')!r}"
        )
    if names[time_column][:1].isdigit():
        raise ConversionError(f"{name} has no header line; put one with {dialect.columns} names in front")


def read_delimited(
    blocks: Iterable[bytes],
    dialect: Dialect,
    wanted: Sequence[int],
    to_events: ToEvents,
    ledger: Ledger,
) -> Iterator[pa.RecordBatch]:
    """Parse lines; count each as read, and reject those that are no rows.

    A line is a row if it is UTF-8 and has the right number of fields. A quoted field cannot run
    over the end of a line: one stray quote would swallow every line up to the next.

    Args:
        blocks: Whole lines.
        dialect: How they are cut.
        wanted: Indices of the columns to return.
        to_events: Makes a batch from the wanted columns as strings; called in other threads.
        ledger: Counts lines and keeps the rejects.

    Yields:
        Batches in the order of the lines.
    """

    def read(block: bytes, draft: Ledger) -> Iterator[pa.RecordBatch]:
        lines = block.count(b"\n")
        draft.read(lines)
        good = reject_suspects(block, draft, dialect.quoted)
        lines = lines if good is block else good.count(b"\n")
        for part in _parse(good, lines, dialect, wanted, draft):
            if part.num_rows:
                columns = [part.column(str(index)).combine_chunks() for index in wanted]
                yield to_events(columns, draft)

    return each_block(read, blocks, ledger)


def reject_suspects(block: bytes, ledger: Ledger, quoted: bool = False) -> bytes:
    """Take lines out of a block that no parser should see.

    Args:
        block: Whole lines.
        ledger: Keeps the rejects.
        quoted: Whether a line with an odd number of quotes is one.

    Returns:
        The other lines: all UTF-8, and none with a carriage return but before its line feed.
    """
    stray = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
    unbalanced = quoted and b'"' in block and bool(_odd_quotes(block).any())
    if not (stray or unbalanced) and _is_utf8(block):
        return block
    good = []
    for line in _lines(block):
        reason = _suspicion(line, quoted)
        if reason:
            ledger.reject(reason, [line])
        else:
            good.append(line)
    return b"".join(good)


def _drop_empty(block: bytes, ledger: Ledger) -> bytes:
    lines = _lines(block)
    good = [line for line in lines if line.strip(b"\r\n")]
    ledger.drop("empty line", len(lines) - len(good))
    return b"".join(good)


def _lines(block: bytes) -> list[bytes]:
    return [line + b"\n" for line in block[:-1].split(b"\n")]


def _suspicion(line: bytes, quoted: bool) -> str | None:
    text = line[:-2] if line.endswith(b"\r\n") else line[:-1]
    if b"\r" in text:
        return "line with a stray carriage return"
    if quoted and text.count(b'"') % 2:
        return "line with an unclosed quote"
    return None if _is_utf8(text) else "line is not UTF-8"


def _odd_quotes(block: bytes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each line whether its number of quotes is odd."""
    characters = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    ends = np.flatnonzero(characters == ord("\n"))
    before = np.searchsorted(quotes, ends)
    odd: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.diff(before, prepend=0) % 2 == 1
    return odd


def _is_utf8(text: bytes) -> bool:
    ends = pa.py_buffer(np.array([0, len(text)], np.int32).tobytes())
    one_value = pa.Array.from_buffers(pa.binary(), 1, [None, ends, pa.py_buffer(text)])
    try:
        one_value.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _parse(
    block: bytes, lines: int, dialect: Dialect, wanted: Sequence[int], ledger: Ledger
) -> Iterator[pa.Table]:
    """Parse a block; where lines and rows differ in number, find the culprits by halving."""
    if not lines:
        return
    rejects: list[bytes] = []
    try:
        table = _read_csv(block, dialect, wanted, rejects)
    except pa.ArrowInvalid:
        table = None
    if table is not None and table.num_rows + len(rejects) == lines:
        ledger.reject(dialect.fault, rejects)
        yield table
    elif len(full := _drop_empty(block, ledger)) < len(block):
        yield from _parse(full, full.count(b"\n"), dialect, wanted, ledger)
    elif lines == 1:
        ledger.reject(dialect.fault, [block])
    else:
        half = block.find(b"\n", len(block) // 2, -1) + 1 or block.rfind(b"\n", 0, -1) + 1
        for part in (block[:half], block[half:]):
            yield from _parse(part, part.count(b"\n"), dialect, wanted, ledger)


def _read_csv(block: bytes, dialect: Dialect, wanted: Sequence[int], rejects: list[bytes]) -> pa.Table:
    def keep(row: pa_csv.InvalidRow) -> str:
        rejects.append(row.text.encode("utf-8"))
        return "skip"

    parse = pa_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char='"' if dialect.quoted else False,
        ignore_empty_lines=True,  # one field of nothing is not a row
        invalid_row_handler=keep,
    )
    names = [str(index) for index in range(dialect.columns)]
    convert = _all_texts(dialect.columns, [str(index) for index in wanted])
    # Several blocks are read at once, so a thread for each is enough.
    read = pa_csv.ReadOptions(column_names=names, block_size=1 << 22, use_threads=False)
    return pa_csv.read_csv(pa.BufferReader(block), read, parse, convert)


def _all_texts(columns: int, wanted: Sequence[str] = ()) -> pa_csv.ConvertOptions:
    names = [str(index) for index in range(columns)] + [f"f{index}" for index in range(columns)]
    return pa_csv.ConvertOptions(
        include_columns=list(dict.fromkeys(wanted)),
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=False,
        check_utf8=not wanted,
    )
