"""Chunks of a table that is too large for one: rows behind the header row, and of rows too long, cells behind theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from llm_providers.tokens import estimate_tokens
from service_kit.outline import TableSpan

_PIPE = re.compile(r"(?<!\\)\|")
_LONGEST_NAME = 200
"""Characters of a column's name, or of a row's first cell, that are repeated."""

Part = tuple[int, int, str]
"""Start, end, and what is repeated before it."""


def cut(text: str, span: TableSpan, size: int) -> Iterator[Part]:
    """Cut a table into stretches of about `size` tokens, what is repeated included."""
    header = text[span.start : span.header_end].strip()
    lead = f"{header}\n{_rule(len(_cells(header, 0, len(header))))}\n"
    room = size - estimate_tokens(lead)
    if room < size // 2:
        room = 0  # the columns are too many to be repeated at once
    names = [header[begin:end].strip()[:_LONGEST_NAME] for begin, end in _cells(header, 0, len(header))]
    group: list[tuple[int, int]] = []
    used = 0
    for start, end in _rows(text, span):
        needed = estimate_tokens(text[start:end])
        if group and used + needed > room:
            yield _whole(group, span, lead)
            group, used = [], 0
        if needed > room:
            yield from _wide(text, start, end, names, size)
        else:
            group.append((start, end))
            used += needed
    if group:
        yield _whole(group, span, lead)


def _whole(rows: Sequence[tuple[int, int]], span: TableSpan, lead: str) -> Part:
    # The first rows stand behind the header row as it is.
    return (span.start, rows[-1][1], "") if rows[0][0] <= span.body else (rows[0][0], rows[-1][1], lead)


def _wide(text: str, start: int, end: int, names: Sequence[str], size: int) -> Iterator[Part]:
    """Cut a row between cells: before each part stand the names of its cells, and the row's first cell."""
    cells = _cells(text, start, end)
    first = text[slice(*cells[0])].strip()[:_LONGEST_NAME]
    at = 0
    while at < len(cells):
        until, used = at, 0
        while until < len(cells):
            name = names[until] if until < len(names) else ""
            needed = estimate_tokens(f"| {name} | {text[slice(*cells[until])]}")
            if until > at and used + needed > size:
                break
            used, until = used + needed, until + 1
        own = list(names[at:until])
        columns = [*names[:1], *own] if at else own
        lead = f"| {' | '.join(columns)} |\n{_rule(len(columns))}\n| " + (f"{first} | " if at else "")
        for begin, stop in _pieces(text, cells[at][0], cells[until - 1][1], size):
            yield begin, stop, lead
        at = until


def _pieces(text: str, begin: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut one long cell between words, else anywhere."""
    while end > begin and text[end - 1].isspace():
        end -= 1
    while begin < end:
        while begin < end - 1 and text[begin].isspace():
            begin += 1
        stop = end
        while estimate_tokens(text[begin:stop]) > 2 * size and stop - begin > 1:
            half = begin + (stop - begin) // 2
            space = text.rfind(" ", begin + 1, half)
            stop = space if space > begin else half
        yield begin, stop
        begin = stop


def _rows(text: str, span: TableSpan) -> Iterator[tuple[int, int]]:
    start = span.body
    while start < span.end:
        stop = text.find("\n", start, span.end)
        stop = span.end if stop < 0 else stop
        if stop > start:
            yield start, stop
        start = stop + 1


def _cells(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """List where the cells of a row stand, without its outer bars."""
    bars = [match.start() for match in _PIPE.finditer(text, begin, end)]
    edges = [begin - 1, *bars, end]
    cells = [(left + 1, right) for left, right in pairwise(edges)]
    outer = [cell for cell in (cells[0], cells[-1]) if not text[slice(*cell)].strip()]
    return [cell for cell in cells if cell not in outer] or cells


def _rule(columns: int) -> str:
    return "|" + " --- |" * max(1, columns)
