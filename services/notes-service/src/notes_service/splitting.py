"""Splitting of a long text into parts that fit a model's context."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llm_providers.tokens import estimate_tokens

_BOUNDARIES = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"(?<=[.!?…。])\s+", r"\s+"))


def split(text: str, tokens: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of parts of at most `tokens` estimated tokens that cover the text, at the best boundary."""
    start = 0
    while start < len(text):
        end = _reach(text, start, tokens)
        if end < len(text):
            end = _boundary(text, start, end)
        yield start, end
        start = end


def _reach(text: str, start: int, tokens: int) -> int:
    """Return the furthest end that fits, to within a few tokens (bisection: an estimate only grows with its text)."""
    low, high = start + 1, min(len(text), start + tokens * 12)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_tokens(text[start:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _boundary(text: str, start: int, end: int) -> int:
    """Return the last paragraph, line, sentence or word boundary in the second half of the part."""
    for boundary in _BOUNDARIES:
        cuts = [match.end() for match in boundary.finditer(text, start, end)]
        if cuts and cuts[-1] - start > (end - start) // 2:
            return cuts[-1]
    return end
