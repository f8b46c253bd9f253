"""The subset of Markdown that structured formats are converted to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_FALSE_HEADING = re.compile(r"^([^\S\n]*+)(#{1,6}\s)", re.MULTILINE)


def heading(text: str, level: int) -> str:
    return f"{'#' * max(1, min(6, level))} {one_line(text)}"


def paragraph(text: str) -> str:
    """Keep plain text plain where it matters: a line that would be a heading is escaped, nothing else is touched."""
    return _FALSE_HEADING.sub(r"\1\\\2", text.strip("\n"))


def item(text: str, depth: int, *, number: int | None = None) -> str:
    mark = "-" if number is None else f"{number}."
    return f"{'   ' * depth}{mark} {one_line(text)}"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Make a table; the first row is its head, short rows are filled up, empty tables give an empty text."""
    cells = [[cell(value) for value in row] for row in rows]
    width = max((len(row) for row in cells), default=0)
    if width == 0:
        return ""
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    return " ".join(text.split())
