"""Tables with merged cells and headers of several rows, as tables whose every cell says what it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from doc_processor import markdown

_MOST_HEADER_ROWS = 4
_MOST_CAPTIONS = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A merged cell: where it begins, counted from 0, and how many rows and columns it takes."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(slots=True)
class Grid:
    """Rows of cells, what is merged, and how many rows head the others, None where the file does not say."""

    rows: list[list[str]]
    spans: list[Span] = field(default_factory=list)
    header_rows: int | None = None

    def markdown(self, *, captions: bool = False) -> str:
        """Fill merged cells, join the rows of the header, and leave out what is empty.

        With `captions`, rows above the header that hold one text are lines above the table, as in spreadsheets.
        """
        self._fill()
        spans = [span for span in self.spans if span.columns > 1 or span.rows > 1]
        kept = [number for number, row in enumerate(self.rows) if any(cell.strip() for cell in row)]
        first = 0
        above: list[str] = []
        while captions and first < min(len(kept) - 1, _MOST_CAPTIONS) and self._is_caption(kept[first], spans):
            above.append(next(cell for cell in self.rows[kept[first]] if cell.strip()))
            first += 1
        kept = kept[first:]
        if not kept:
            return markdown.paragraph("\n\n".join(above))
        depth = self._header_depth(kept, spans)
        header = self._joined(kept[:depth])
        rows = _without_empty_columns([header, *(self.rows[number] for number in kept[depth:])])
        return "\n\n".join(filter(None, [*map(markdown.paragraph, above), markdown.table(rows)]))

    def _fill(self) -> None:
        for span in self.spans:
            if span.row >= len(self.rows) or span.column >= len(self.rows[span.row]):
                continue
            text = self.rows[span.row][span.column]
            for row in self.rows[span.row : span.row + span.rows] if text else ():
                row += [""] * (span.column + span.columns - len(row))
                row[span.column : span.column + span.columns] = [text] * span.columns

    def _is_caption(self, number: int, spans: Iterable[Span]) -> bool:
        """Whether a row holds one text, or the same one merged over its columns, and the widest row more."""
        texts = [cell for cell in self.rows[number] if cell.strip()]
        merged = any(span.row == number and span.columns >= len(texts) for span in spans)
        widest = max((sum(bool(cell.strip()) for cell in row) for row in self.rows[number + 1 :]), default=0)
        return widest > 1 and (len(texts) == 1 or (merged and len(set(texts)) == 1))

    def _header_depth(self, kept: Sequence[int], spans: Iterable[Span]) -> int:
        if self.header_rows is not None:
            return max(1, min(self.header_rows, len(kept) - 1, _MOST_HEADER_ROWS))
        top = kept[0]
        across = [span for span in spans if span.row == top and span.columns > 1]
        deep = max((span.rows for span in spans if span.row == top), default=1)
        depth = 1
        while depth < min(len(kept) - 1, _MOST_HEADER_ROWS) and (
            (depth == 1 and across) or depth < (deep if across else 1) or self._groups(kept[depth - 1], spans)
        ):
            depth += 1
        return depth

    def _groups(self, number: int, spans: Iterable[Span]) -> bool:
        """Whether a row of the header has names over several columns, which are named in the next one."""
        return any(span.row == number and span.columns > 1 for span in spans)

    def _joined(self, numbers: Sequence[int]) -> list[str]:
        """Return one name for each column, of all rows of the header."""
        width = max(len(self.rows[number]) for number in numbers)
        names = []
        for column in range(width):
            cells = [self.rows[number][column] for number in numbers if column < len(self.rows[number])]
            names.append(" / ".join(dict.fromkeys(markdown.one_line(cell) for cell in cells if cell.strip())))
        return names


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    width = max((len(row) for row in rows), default=0)
    used = [column for column in range(width) if any(column < len(row) and row[column].strip() for row in rows)]
    if len(used) == width:
        return rows
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]
