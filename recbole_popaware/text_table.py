"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from texttable import Texttable  # comes with RecBole


def text_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], align: str, *, ruled: bool = False
) -> str:
    """Lay out a table, as wide as it needs to be.

    Args:
        header: Names of the columns.
        rows: Cells, as they are to be shown.
        align: One letter a column: ``l`` or ``r``.
        ruled: Draw a line below the header.

    Returns:
        Lines without trailing spaces and without a line break at the end.
    """
    table = Texttable(max_width=0)
    table.set_deco(Texttable.HEADER if ruled else 0)
    table.set_cols_dtype(["t"] * len(header))
    table.set_cols_align(list(align))
    table.set_header_align(list(align))
    table.header(list(header))
    for row in rows:
        table.add_row(list(row))
    return "\n".join(line.rstrip() for line in (table.draw() or "").splitlines())
