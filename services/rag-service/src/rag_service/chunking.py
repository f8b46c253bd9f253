"""Cuts pages into chunks on heading, paragraph and row boundaries."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from llm_providers.tokens import estimate_tokens
from rag_service import table_chunks
from service_kit.outline import Heading, TableSpan, headings, tables

_BLANK = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[.!?…。])\s+")
_SPACE = re.compile(r"\s+")
_PLAIN = ["\n\n", "\n", r"(?<=[.!?…。])\s", " ", ""]
_MARKDOWN = [*(f"\n{'#' * level} " for level in range(1, 7)), *_PLAIN]


class PageOf(NamedTuple):
    """A page to be cut; only the text of `markdown` pages has headings."""

    number: int
    text: str
    markdown: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk to be: what stands at `start` to `end` of the page, behind the header row of the table that it is cut from."""

    page: int
    start: int
    end: int
    heading: str
    text: str


@dataclass(slots=True)
class _Outlined:
    """A page with its headings, and the tables that are too large for one chunk."""

    page: PageOf
    headings: list[Heading]
    tables: list[TableSpan]
    bare: list[Heading] = field(default_factory=list)
    """Headings without any text below: they are text themselves."""

    def has_text(self, begin: int, end: int) -> bool:
        """Whether a stretch holds more than headings of what follows."""
        inside = [each for each in self.headings if each.start < end and each.end > begin]
        if any(each in self.bare for each in inside):
            return True
        text = self.page.text
        for each in inside:
            if text[begin : max(begin, each.start)].strip():
                return True
            begin = each.end
        return bool(text[begin:end].strip())


class Chunker:
    """Makes chunks of about `tokens` tokens, the last `overlap` of the one before included; by `estimate_tokens`."""

    def __init__(self, tokens: int, overlap: int) -> None:
        self._size = tokens - overlap
        self._overlap = overlap
        self._splitters = {True: self._splitter(_MARKDOWN), False: self._splitter(_PLAIN)}

    def _splitter(self, separators: list[str]) -> Callable[[str], list[str]]:
        # Imported here: it takes half a second and only ingestion needs it.
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        patterns = [re.escape(separator) if "(?" not in separator else separator for separator in separators]
        # The splitter's own overlap would leave where a part stands to guesswork; without it parts follow one another.
        return RecursiveCharacterTextSplitter(
            separators=patterns,
            is_separator_regex=True,
            keep_separator="start",
            chunk_size=self._size,
            chunk_overlap=0,
            length_function=estimate_tokens,
            strip_whitespace=True,
        ).split_text

    def chunk(self, pages: Iterable[tuple[int, str] | PageOf]) -> Iterator[Piece]:
        """Cut each page; a heading holds on following pages until another replaces it."""
        outlined = [self._outlined(PageOf(*page)) for page in pages]
        _mark_bare(outlined)
        trail: dict[int, str] = {}
        for each in outlined:
            yield from self._page(each, trail)

    def _outlined(self, page: PageOf) -> _Outlined:
        found = headings(page.text, first_page=page.number == 1) if page.markdown else []
        large = [span for span in tables(page.text) if estimate_tokens(page.text[span.start : span.end]) > self._size]
        return _Outlined(page, found, large)

    def _page(self, outlined: _Outlined, trail: dict[int, str]) -> Iterator[Piece]:
        number, text, _ = outlined.page
        waiting = deque(outlined.headings)
        for begin, end, lead in self._parts(outlined):
            while waiting and waiting[0].start <= begin:
                _enter(trail, waiting.popleft())
            # A heading alone is no chunk: it goes with what follows it, in `heading`; unless nothing does.
            if outlined.has_text(begin, end):
                starts = any(each.start == begin for each in outlined.headings)
                start = begin if starts or lead is not None else self._back(outlined, begin)
                path = " › ".join(trail[level] for level in sorted(trail))
                yield Piece(number, start, end, path, (lead or "") + text[start:end])
            while waiting and waiting[0].start < end:
                _enter(trail, waiting.popleft())

    def _parts(self, outlined: _Outlined) -> Iterator[tuple[int, int, str | None]]:
        """Yield start, end, and what is repeated before it, which is None outside of large tables."""
        _, text, markdown = outlined.page
        at = 0
        for span in (*outlined.tables, None):
            for begin, end in self._prose(text, at, span.start if span else len(text), markdown):
                yield begin, end, None
            if span is not None:
                yield from table_chunks.cut(text, span, self._size)
                at = span.end

    def _prose(self, text: str, begin: int, end: int, markdown: bool) -> Iterator[tuple[int, int]]:
        position = begin
        for part in self._splitters[markdown](text[begin:end]):
            start = text.index(part[:1], position)
            position = start + len(part)
            yield start, position

    def _back(self, outlined: _Outlined, begin: int) -> int:
        """Return where the overlap begins: at a sentence if there is one in reach, else at a word; never over a heading."""
        text = outlined.page.text
        reach = max(0, begin - self._overlap * 8)
        ends = [each.end for each in outlined.headings] + [each.end for each in outlined.tables]
        reach = max([reach, *(end for end in ends if end <= begin)])
        window = text[reach:begin]
        if (last := _last(_BLANK, window)) is not None:
            reach, window = reach + last, window[last:]
        for boundary in (_SENTENCE, _SPACE):
            for match in boundary.finditer(window):
                if estimate_tokens(window[match.end() :]) <= self._overlap:
                    return reach + match.end()
        return begin


def _mark_bare(pages: list[_Outlined]) -> None:
    """Find the headings below which there is neither text nor a deeper heading that has some."""
    leads_to_text = False
    level = 0  # of what follows: 0 is the end, or text
    for page in reversed(pages):
        text, end = page.page.text, len(page.page.text)
        for heading in reversed(page.headings):
            if text[heading.end : end].strip():
                leads_to_text, level = True, 0
            elif level and level <= heading.level:
                leads_to_text = False
            if not leads_to_text:
                page.bare.append(heading)
            level, end = heading.level, heading.start
        if text[:end].strip():
            leads_to_text, level = True, 0


def _last(boundary: re.Pattern[str], window: str) -> int | None:
    ends = [match.end() for match in boundary.finditer(window)]
    return ends[-1] if ends else None


def _enter(trail: dict[int, str], heading: Heading) -> None:
    for deeper in [known for known in trail if known >= heading.level]:
        del trail[deeper]
    trail[heading.level] = heading.title
