"""Words as an engine has found them in a picture, and lines made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BROKEN = re.compile(r"(?<![\w-])([^\W\d_]{2,})[-\u2010\u00ac]\n(?=([^\W\d_]{2,}))")
"""A word that is divided at the end of a line; not one that has a hyphen of its own."""


class OcrFailed(Exception):
    """The engine crashed, timed out or gave no usable output."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word: its place (block, paragraph, line), box (left, top, right, bottom in pixels) and confidence from 0 to 100."""

    place: tuple[int, int, int]
    box: tuple[int, int, int, int]
    confidence: float
    text: str

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def letters(self) -> int:
        return sum(1 for character in self.text if character.isalnum())


def in_lines(words: Sequence[Word]) -> str:
    """Join words to lines, with a blank line between paragraphs; words that were divided at the end of a line are whole."""
    pieces: list[str] = []
    before: tuple[int, int, int] | None = None
    for word in words:
        if before is not None:
            pieces.append(" " if word.place == before else "\n" if word.place[:2] == before[:2] else "\n\n")
        pieces.append(word.text)
        before = word.place
    return _BROKEN.sub(_whole, "".join(pieces))


def _whole(match: re.Match[str]) -> str:
    # A capital begins a name: Baden-Baden.
    return match[1] if match[2][0].islower() else match[0]
