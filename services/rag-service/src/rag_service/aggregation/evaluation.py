"""The calculation over the one table that a question is about, if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from rag_service.aggregation.lexicon import IGNORED, KINDS, TEXTS
from rag_service.aggregation.question import AggregateQuestion
from rag_service.aggregation.table import Row, Table
from rag_service.keyword.analysis import query_terms, terms
from service_kit.statements.normalisation import normalised

_MOST_NAMED = 20
_SHORTEST_PART = 4
"""Letters of a word that is looked for within longer ones."""
_DECIMALS = re.compile(r"\d[.,](\d{1,2})(?!\d)")
_SHARED_BEFORE, _SHARED_BEHIND = re.compile(r"^[^\d-]*"), re.compile(r"[^\d]*$")


@dataclass(frozen=True, slots=True)
class Calculation:
    """What to say, and the rows that it was calculated from."""

    text: str
    table: Table
    rows: tuple[Row, ...]


def calculate(
    question: AggregateQuestion, tables: Iterable[tuple[Table, str]], language: str, answered_in: str
) -> Calculation | None:
    """Answer from the one (table, its document's title) that the question's words name; None where none or several fit.

    `language` is the tables', `answered_in` the question's.
    """
    read = [found for table, title in tables if (found := _Reading.of(question, table, title, language)) is not None]
    return read[0].calculation(TEXTS.get(answered_in, TEXTS["en"])) if len(read) == 1 else None


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question read as one about this table: the column to compare, the rows it speaks of, and the columns it asks for.

    Each of its words names something of the table, or it sets a condition that would be passed over.
    """

    question: AggregateQuestion
    table: Table
    column: int
    rows: list[int]
    also: list[int]

    @classmethod
    def of(cls, question: AggregateQuestion, table: Table, title: str, language: str) -> _Reading | None:
        asked = {term for term in query_terms(question.rest, [language]) if term not in IGNORED}
        headers = [set(terms(column, language)) for column in table.columns]
        about = set(terms(f"{table.heading} {title}", language))
        rows, named = _named_rows(asked - about.union(*headers), asked, table, language)
        if not asked or not all(
            _is_in(term, about.union(*headers, named, _kind_terms(question.kinds, language))) for term in asked
        ):
            return None
        if question.operation == "count" and question.bound is None:
            if _counts_rows(question, table, headers[0] | about, language):
                return cls(question, table, 0, rows, [])
            question = replace(question, operation="lookup")
        column = _compared(asked - named, question, table, headers)
        if column is None or (question.operation == "lookup" and (len(rows) != 1 or not named)):
            return None
        also = [
            number
            for number, name in enumerate(table.columns)
            if number not in (0, column) and asked & set(query_terms(name, [language])) - headers[0] - headers[column]
        ]
        return cls(question, table, column, rows, also)

    def calculation(self, texts: dict[str, str]) -> Calculation | None:
        operation, bound, rows = self.question.operation, self.question.bound, self.rows
        if bound is not None:
            held = [row for row in rows if (value := self._value(row)) is not None and bound.holds(value)]
            if operation in ("filter", "count"):
                said = texts["filter" if held else "none"]
                return self._calculation(said, held or rows, count=len(held), rows=len(rows), names=self._names(held))
            rows = held
        if operation == "count":
            return self._calculation(texts["count"], rows, count=len(rows), names=self._names(rows))
        values = {row: value for row in rows if (value := self._value(row)) is not None}
        if not values:
            return None
        name = self.table.columns[self.column]
        if operation in ("max", "min", "lookup"):
            extreme = min(values.values()) if operation == "min" else max(values.values())
            found = [row for row, value in values.items() if value == extreme]
            cell = self.table.rows[found[0]].cells[self.column]
            return self._calculation(
                texts[operation], found, names=self._names(found), column=name, rows=len(values), value=cell
            )
        cells = [self.table.rows[row].cells[self.column] for row in values]
        decimals = max(len(match[1]) if (match := _DECIMALS.search(cell)) else 0 for cell in cells)
        result = sum(values.values(), Decimal())
        if operation == "average":
            result, decimals = result / len(values), decimals + 1
        result = result.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        return self._calculation(
            texts[operation], list(values), column=name, rows=len(values), value=_written(result, cells)
        )

    def _value(self, row: int) -> Decimal | None:
        return self.table.values[self.column][row]

    def _names(self, rows: Sequence[int]) -> str:
        """Name rows by their first cell, with the cells that are compared or asked for."""
        compared = [self.column] if self.column and self.question.operation in ("filter", "count") else []

        def name(row: int) -> str:
            cells = self.table.rows[row].cells
            more = [cells[number] for number in compared]
            more += [f"{self.table.columns[number]}: {cells[number]}" for number in self.also]
            return f"{cells[0]} ({', '.join(more)})" if more else cells[0]

        return "; ".join(map(name, rows[:_MOST_NAMED])) + ("; …" if len(rows) > _MOST_NAMED else "")

    def _calculation(self, text: str, cited: Sequence[int], **words: str | int) -> Calculation:
        return Calculation(text.format(**words), self.table, tuple(self.table.rows[row] for row in cited))


def _named_rows(words: set[str], asked: set[str], table: Table, language: str) -> tuple[list[int], set[str]]:
    """Return the rows that the question names, by whole cells or by `words` in them, and the words that name them."""
    rows, named = list(range(len(table.rows))), set[str]()
    for number in range(len(table.columns)):
        if table.is_numeric(number):
            continue
        cells = {row.cells[number]: frozenset(terms(row.cells[number], language)) for row in table.rows}
        whole = {cell: held for cell, held in cells.items() if held and held <= asked}
        # The most words first: "South House" names one house, "House" would name each.
        shared = {cell: held if whole else held & words for cell, held in (whole or cells).items()}
        most = max(map(len, shared.values()), default=0)
        chosen = {cell for cell, held in shared.items() if len(held) == most > 0}
        if chosen and len(chosen) < len(cells):
            rows = [row for row in rows if table.rows[row].cells[number] in chosen]
            named |= set[str]().union(*(shared[cell] for cell in chosen))
    return (rows, named) if rows else (list(range(len(table.rows))), set())


def _compared(asked: set[str], question: AggregateQuestion, table: Table, headers: Sequence[set[str]]) -> int | None:
    """Return the one column of numbers or days that the question's words name, or its kind."""
    wanted = {word for kind in question.kinds for word in KINDS[kind]}
    fitting: dict[int, int] = {}
    for number, (name, words) in enumerate(zip(table.columns, headers, strict=True)):
        if not table.is_numeric(number):
            continue
        kind = bool(wanted & {*re.findall(r"[\w€²]+", normalised(name))})
        shared = sum(_is_in(term, words) for term in asked)
        if shared or kind:
            fitting[number] = shared + kind
    best = max(fitting.values(), default=0)
    chosen = [number for number, share in fitting.items() if share == best]
    return chosen[0] if len(chosen) == 1 else None


def _counts_rows(question: AggregateQuestion, table: Table, rows: set[str], language: str) -> bool:
    """Say whether what is counted is what the rows are, and not what one of the columns counts."""
    noun = query_terms(question.counted, [language])[:1]
    of_columns = (
        set(terms(name, language)) for place, name in enumerate(table.columns) if place and table.is_numeric(place)
    )
    return bool(noun) and noun[0] in rows and not any(noun[0] in words for words in of_columns)


def _kind_terms(kinds: Iterable[str], language: str) -> set[str]:
    return {term for kind in kinds for word in KINDS[kind] for term in terms(word, language)}


def _is_in(term: str, words: Iterable[str]) -> bool:
    """Say whether a term is one of `words`, or begins or ends one: "price" in "crateprice"."""
    return any(
        term == word or (min(len(term), len(word)) >= _SHORTEST_PART and (word.startswith(term) or word.endswith(term)))
        for word in words
    )


def _written(value: Decimal, cells: Sequence[str]) -> str:
    """Write a number as the cells are: their decimal mark, their groups, and what all of them have before and behind."""
    before = {_SHARED_BEFORE.search(cell)[0] for cell in cells}  # type: ignore[index]
    behind = {_SHARED_BEHIND.search(cell)[0] for cell in cells}  # type: ignore[index]
    text = f"{value:,f}"
    if any(re.search(r"\d,\d{1,2}(?!\d)", cell) for cell in cells):
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{before.pop() if len(before) == 1 else ''}{text}{behind.pop() if len(behind) == 1 else ''}"
