"""Lines, sizes and tables as plain text."""

from __future__ import annotations

from collections.abc import Sequence


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def size(count: float) -> str:
    """Return `count` bytes as text, in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Return a line per row, its cells padded to the width of their column."""
    columns = range(max(map(len, rows), default=0))
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in columns]
    return [
        (indent + "  ".join(cell.ljust(widths[column]) for column, cell in enumerate(row))).rstrip() for row in rows
    ]
