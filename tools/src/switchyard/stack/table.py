"""Aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return a line per row, its cells padded to the width of their column."""
    columns = range(max(map(len, rows), default=0))
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in columns]
    return [
        (indent + "  ".join(cell.ljust(widths[column]) for column, cell in enumerate(row))).rstrip() for row in rows
    ]
