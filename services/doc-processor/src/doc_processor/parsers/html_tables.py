"""Tables of HTML pages: those that hold data become grids; those that only lay a page out are taken apart."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

from doc_processor import markdown
from doc_processor.grids import Grid, Span

_LAYOUT = ("table", "h1", "h2", "h3", "h4", "h5", "h6")
_PARTS = ("table", "tbody", "thead", "tfoot", "tr", "td", "th")
_CELLS = ("td", "th")
_MOST_CELLS = 500_000
_MOST_TIMES = 1000


def take_apart_layout(soup: BeautifulSoup) -> None:
    """Make blocks of tables that hold others, headings, or one column."""
    for table in soup.find_all("table"):
        widest = max((len(row.find_all(_CELLS, recursive=False)) for row in table.find_all("tr")), default=0)
        if widest < 2 or table.find(_LAYOUT) is not None:
            for part in [table, *(each for each in table.find_all(_PARTS) if each.find_parent("table") is table)]:
                part.name = "div"


def to_markdown(table: Tag) -> str:
    """Convert a table that holds data; its caption is a line above it."""
    caption = table.find("caption")
    above = markdown.paragraph(markdown.one_line(caption.get_text(" "))) if caption is not None else ""
    return "\n\n".join(filter(None, [above, _grid(table.find_all("tr")).markdown()]))


def _grid(rows: list[Tag]) -> Grid:
    grid = Grid([], [], sum(row.find_parent("thead") is not None for row in rows) or None)
    taken: set[tuple[int, int]] = set()
    room = _MOST_CELLS
    for number, row in enumerate(rows):
        cells: list[str] = []
        for cell in row.find_all(_CELLS):
            while (number, len(cells)) in taken:
                cells.append("")
            high, wide = min(_times(cell, "rowspan"), len(rows) - number), _times(cell, "colspan")
            if high * wide > room:
                high = wide = 1
            room -= high * wide
            grid.spans.append(Span(number, len(cells), high, wide))
            taken |= {(number + down, len(cells) + right) for down in range(1, high) for right in range(wide)}
            cells += [cell.get_text(" "), *[""] * (wide - 1)]
        grid.rows.append(cells)
    return grid


def _times(cell: Tag, name: str) -> int:
    written = str(cell.get(name, "1")).strip()
    return max(1, min(_MOST_TIMES, int(written))) if written.isascii() and written.isdigit() and len(written) < 6 else 1
