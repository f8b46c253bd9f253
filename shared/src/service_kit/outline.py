"""The outline of a page's text: its headings and its tables, with their places.

Headings are those of Markdown (CommonMark 0.31, 4.2, 4.3 and 4.5), so that `#` in fenced code, in front matter and in
indented code is none; tables are pipe tables (GitHub Flavored Markdown 0.29, 4.10).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]++(.*))?$")
_UNDERLINE = re.compile(r" {0,3}(?:(={3,})|-{3,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}+|~{3,}+)([^\n]*)$")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[-*+>|]|\d{1,9}[.)])(?:\s|$)|(?: {4}|\t)|\|")
_RULE = re.compile(r"[ \t]*+\|?[ \t]*+:?-+:?[ \t]*+(?:\|[ \t]*+:?-+:?[ \t]*+)*+\|?[ \t]*+$")
_FRONT = "---"
_LONGEST_TITLE = 300
_MOST_LINES = 3
"""Lines of a heading that is underlined; more are a paragraph above a rule."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading at `start` to `end`; `level` is 1 to 6."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class TableSpan:
    """A table at `start` to `end`; its header row ends at `header_end`, its first row begins at `body`."""

    start: int
    header_end: int
    body: int
    end: int


Line = tuple[int, str]


def headings(text: str, *, first_page: bool = True) -> list[Heading]:
    """List the headings of a page of Markdown; front matter can only begin the `first_page`."""
    return list(_headings(_behind_front_matter(_lines(text)) if first_page else _lines(text)))


def tables(text: str) -> list[TableSpan]:
    """List the tables of a page: a row with `|`, a rule of dashes, and what follows without a blank line."""
    lines = _lines(text)
    found: list[TableSpan] = []
    at = 0
    while at + 1 < len(lines):
        (start, header), (rule_start, rule) = lines[at : at + 2]
        at += 1
        if "|" not in header or "|" not in rule or not _RULE.match(rule):
            continue
        last = at
        while last + 1 < len(lines) and "|" in lines[last + 1][1]:
            last += 1
        body = min(len(text), rule_start + len(rule) + 1)
        found.append(TableSpan(start, start + len(header), body, lines[last][0] + len(lines[last][1])))
        at = last + 1
    return found


def _lines(text: str) -> list[Line]:
    found = []
    start = 0
    for line in text.split("\n"):
        found.append((start, line))
        start += len(line) + 1
    return found


def _behind_front_matter(lines: list[Line]) -> list[Line]:
    if lines[0][1].rstrip() == _FRONT:
        for number, (_, line) in enumerate(lines[1:], 1):
            if line.rstrip() in (_FRONT, "..."):
                return lines[number + 1 :]
    return lines


def _headings(lines: list[Line]) -> Iterator[Heading]:
    fence = ""
    paragraph: list[Line] = []
    between = True
    for start, line in lines:
        if fence:
            closing = line.strip()
            if len(closing) >= len(fence) and not closing.strip(fence[0]) and not line.startswith("    "):
                fence = ""
            continue
        if (opened := _FENCE.match(line)) and not (opened[1][0] == "`" and "`" in opened[2]):
            fence, paragraph, between = opened[1], [], True
        elif atx := _ATX.match(line):
            paragraph, between = [], True
            # What closes a heading, as in `## Costs ##`, is not part of the pattern: looking for it takes quadratic time.
            written = (atx[2] or "").strip()
            if title := written.rstrip("# \t") or written:
                yield Heading(start, start + len(line), len(atx[1]), title[:_LONGEST_TITLE])
        elif paragraph and (under := _UNDERLINE.match(line)):
            title = " ".join(each.strip() for _, each in paragraph)
            yield Heading(paragraph[0][0], start + len(line), 1 if under[1] else 2, title[:_LONGEST_TITLE])
            paragraph, between = [], True
        elif not line.strip():
            paragraph, between = [], True
        elif paragraph or (between and not _NO_PARAGRAPH.match(line)):
            paragraph = [*paragraph, (start, line)][:_MOST_LINES]
            between = False
        else:
            # A list item, a quotation, a table or code: lines that follow without a blank line go on with it.
            between = False
