"""Tables of a page's Markdown, with the place of each row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cached_property

from rag_service.aggregation.lexicon import TOTALS
from service_kit.statements.normalisation import normalised
from service_kit.statements.numbers import spelled, value_of

_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_CELL = re.compile(r"(?<!\\)\|")
_HEADING = re.compile(r"#{1,6}[ \t]++(.*)")
_DIGITS = re.compile(r"-?\d[\d.,'’]*")
_DATE = re.compile(r"(\d{1,2}) ([a-z]+)(?: (\d{4}))?")
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "maa": 3, "apr": 4, "may": 5, "mei": 5, "mai": 5, "jun": 6, "jul": 7, "aug": 8,
    "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12,
}  # fmt: skip
_NUMERIC = 0.8
"""Share of a column's filled cells that are numbers, for it to be a column of numbers."""
_LONGEST_WORDS = 16
"""Characters beside the digits in a cell that is a number: a currency, a unit."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells, which stand at `start` to `end` of page `page`."""

    cells: tuple[str, ...]
    page: int
    start: int
    end: int


@dataclass(frozen=True)
class Table:
    """A table of a document: `heading` is what stands above it, `rows` are without those that sum up others."""

    document_id: str
    heading: str
    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)

    @cached_property
    def values(self) -> list[list[Decimal | None]]:
        """The numbers or days of each column, by row; None for a cell that is neither."""
        return [self._column(number) for number in range(len(self.columns))]

    def is_numeric(self, column: int) -> bool:
        filled = sum(bool(row.cells[column]) for row in self.rows)
        return filled > 0 and sum(value is not None for value in self.values[column]) >= _NUMERIC * filled

    def _column(self, number: int) -> list[Decimal | None]:
        cells = [row.cells[number] for row in self.rows]
        days = [_day(cell) for cell in cells]
        return days if any(day is not None for day in days) else [number_in(cell) for cell in cells]


def tables_of(document_id: str, pages: Iterable[tuple[int, str]]) -> list[Table]:
    """Return the tables of (number, text) in order; one that goes on under the same columns on a later page is one table."""
    found: list[Table] = []
    for number, text in pages:
        for heading, columns, rows in _read(number, text):
            if found and found[-1].columns == columns and rows and found[-1].rows[-1].page == number - 1:
                found[-1].rows.extend(rows)
            elif rows:
                found.append(Table(document_id, heading, columns, rows))
    return found


def number_in(cell: str) -> Decimal | None:
    """Return the number that a cell is, with a currency or unit or without; None if it says anything more."""
    digits = _DIGITS.findall(cell)
    if len(digits) != 1 or len(cell) - len(digits[0]) > _LONGEST_WORDS:
        return None
    sign = "-" if digits[0].startswith("-") else ""
    try:
        return Decimal(sign + value_of(digits[0].lstrip("-").rstrip(".,'’")))
    except InvalidOperation:
        return None


def _day(cell: str) -> Decimal | None:
    """Return a date as a number that grows with it; one without a year counts from the year 0."""
    match = _DATE.fullmatch(normalised(spelled(cell.strip())))
    if match is None:
        return None
    month = _MONTHS.get(match[2][:3])
    return None if month is None else Decimal(int(match[3] or 0) * 10_000 + month * 100 + int(match[1]))


def _read(page: int, text: str) -> Iterator[tuple[str, tuple[str, ...], list[Row]]]:
    heading, lines = "", list(_lines(text))
    at = 0
    while at < len(lines):
        line = lines[at][1]
        at += 1
        if (match := _HEADING.match(line)) is not None:
            heading = match[1]
        elif line.startswith("|") and at < len(lines) and _RULE.fullmatch(lines[at][1]):
            columns = tuple(_cells(line))
            first = at + 1
            at = next((n for n in range(first, len(lines)) if not lines[n][1].startswith("|")), len(lines))
            rows = [
                Row(_fitted(_cells(line), len(columns)), page, start, start + len(line))
                for start, line in lines[first:at]
            ]
            yield heading, columns, [row for row in rows if not _sums_up(row.cells)]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start + len(line) - len(line.lstrip()), line.strip()
        start += len(line)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))]


def _fitted(cells: Sequence[str], width: int) -> tuple[str, ...]:
    return (*cells[:width], *[""] * (width - len(cells)))


def _sums_up(cells: Sequence[str]) -> bool:
    first = normalised(next((cell for cell in cells if cell), "")).strip(" :*")
    return not first or first.split()[0].strip(":*") in TOTALS
