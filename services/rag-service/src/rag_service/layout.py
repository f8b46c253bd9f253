"""Which words of a page's text are which words on its picture: both were read off the same page, in about the same order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
_TOKEN = re.compile(r"\S+")
_MOST_PASSES = 12
_MOST_TOKENS = 20_000
_NEAR = 3
"""How many words on may be parts of one word of the text."""


@dataclass(frozen=True, slots=True)
class SeenWord:
    """A word on the picture: its box is in shares of width and height."""

    text: str
    box: Box
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A stretch of the page's text, from `start` to `end`, and where it stands on the picture."""

    start: int
    end: int
    box: Box
    confidence: float | None


def placed(text: str, words: Sequence[SeenWord]) -> list[PlacedWord]:
    """Return the words whose place in `text` is known, in the order of the text.

    Longest common runs are matched first (Ratcliff and Obershelp, 1988), and again among what is left, since columns may come
    in another order. A word that the text has in other pieces, as after a hyphen at the end of a line, is matched by its letters.
    """
    tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text)][:_MOST_TOKENS]
    known = [_letters(text[start:end]) for start, end in tokens]
    seen = [_letters(word.text) for word in words[:_MOST_TOKENS]]
    pairs = dict(_matches(known, seen))
    found = [PlacedWord(*tokens[token], words[word].box, words[word].confidence) for token, word in pairs.items()]
    taken = set(pairs.values())
    for token, (start, end) in enumerate(tokens):
        if token not in pairs:
            after = pairs.get(token - 1, -1) + 1
            near = [number for number in range(after, min(after + _NEAR, len(words))) if number not in taken]
            for number, piece in _pieces(text, start, end, [(number, seen[number]) for number in near]):
                taken.add(number)
                found.append(PlacedWord(*piece, words[number].box, words[number].confidence))
    return sorted(found, key=lambda word: word.start)


def _matches(known: Sequence[str], seen: Sequence[str]) -> Iterator[tuple[int, int]]:
    left, right = list(range(len(known))), list(range(len(seen)))
    for _ in range(_MOST_PASSES):
        matcher = SequenceMatcher(None, [known[n] for n in left], [seen[n] for n in right], autojunk=False)
        blocks = [block for block in matcher.get_matching_blocks() if block.size]
        if not blocks:
            return
        for block in blocks:
            for step in range(block.size):
                yield left[block.a + step], right[block.b + step]
        gone = {block.a + step for block in blocks for step in range(block.size)}
        left = [n for place, n in enumerate(left) if place not in gone]
        gone = {block.b + step for block in blocks for step in range(block.size)}
        right = [n for place, n in enumerate(right) if place not in gone]


def _pieces(text: str, start: int, end: int, near: Sequence[tuple[int, str]]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the words that are parts of one token, one after the other, with their places in it."""
    position = start
    for number, letters in near:
        if letters and (at := text.find(letters, position, end)) >= 0:
            position = at + len(letters)
            yield number, (at, position)


def _letters(word: str) -> str:
    """Return a word without the marks around it that Markdown, or the reading of the page, may add or leave out."""
    return word.strip("*_#|>`-\u00ad\u2010") or word
