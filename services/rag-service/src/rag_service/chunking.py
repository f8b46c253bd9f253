"""Cuts pages into chunks on heading and paragraph boundaries."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llm_providers.tokens import estimate_tokens

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]++(.+)$", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[.!?…。])\s+")
_SPACE = re.compile(r"\s+")
_SEPARATORS = [*(f"\n{'#' * level} " for level in range(1, 7)), "\n\n", "\n", r"(?<=[.!?…。])\s", " ", ""]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk to be: `text` is what stands at `start` to `end` of the page."""

    page: int
    start: int
    end: int
    heading: str
    text: str


class Chunker:
    """Makes chunks of about `tokens` tokens, the last `overlap` of the one before included; by `estimate_tokens`."""

    def __init__(self, tokens: int, overlap: int) -> None:
        # Imported here: it takes half a second and only ingestion needs it.
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        patterns = [re.escape(separator) if "(?" not in separator else separator for separator in _SEPARATORS]
        # The splitter's own overlap would leave where a part stands to guesswork; without it parts follow one another.
        self._splitter = RecursiveCharacterTextSplitter(
            separators=patterns,
            is_separator_regex=True,
            keep_separator="start",
            chunk_size=tokens - overlap,
            chunk_overlap=0,
            length_function=estimate_tokens,
            strip_whitespace=True,
        )
        self._overlap = overlap

    def chunk(self, pages: Iterable[tuple[int, str]]) -> Iterator[Piece]:
        """Cut each (number, text); a heading holds on following pages until another replaces it."""
        trail: dict[int, str] = {}
        for number, text in pages:
            yield from self._page(number, text, trail)

    def _page(self, number: int, text: str, trail: dict[int, str]) -> Iterator[Piece]:
        headings = deque(_HEADING.finditer(text))
        position = 0
        for part in self._splitter.split_text(text):
            begin = text.index(part[:1], position)
            end = position = begin + len(part)
            while headings and headings[0].start() <= begin:
                _enter(trail, headings.popleft())
            # A heading alone is no chunk: it goes with what follows it, in `heading`.
            if _HEADING.sub("", part).strip():
                start = begin if _HEADING.match(part) else self._back(text, begin)
                yield Piece(number, start, end, " › ".join(trail[level] for level in sorted(trail)), text[start:end])
            while headings and headings[0].start() < end:
                _enter(trail, headings.popleft())

    def _back(self, text: str, begin: int) -> int:
        """Return where the overlap begins: at a sentence if there is one in reach, else at a word; never over a heading."""
        reach = max(0, begin - self._overlap * 8)
        window = text[reach:begin]
        for boundary in (_HEADING, _BLANK):
            if (last := _last(boundary, window)) is not None:
                reach, window = reach + last, window[last:]
        for boundary in (_SENTENCE, _SPACE):
            for match in boundary.finditer(window):
                if estimate_tokens(window[match.end() :]) <= self._overlap:
                    return reach + match.end()
        return begin


def _last(boundary: re.Pattern[str], window: str) -> int | None:
    ends = [match.end() for match in boundary.finditer(window)]
    return ends[-1] if ends else None


def _enter(trail: dict[int, str], heading: re.Match[str]) -> None:
    level = len(heading.group(1))
    for deeper in [known for known in trail if known >= level]:
        del trail[deeper]
    # What closes a heading: `## Costs ##`. Not part of the pattern, where looking for it takes quadratic time.
    trail[level] = heading.group(2).rstrip(" \t#").strip() or heading.group(2).strip()
