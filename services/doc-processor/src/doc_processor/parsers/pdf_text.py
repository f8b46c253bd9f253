"""The text layer of a PDF page: where its paragraphs end, and whether it is reliable."""

from __future__ import annotations

import re
from itertools import pairwise
from statistics import median
from typing import Protocol

# PDFium marks a hyphen at the end of a line, where a word goes on, with one of these.
_BROKEN_WORD = re.compile("[\u0002\ufffe]\r?\n")
_LINE = re.compile(r"[^\r\n]+")
_UNREADABLE = re.compile("[\ufffd\x00-\x08\x0e-\x1f\ue000-\uf8ff]")
_MIN_LINES, _WIDE_GAP, _TOO_MANY = 4, 1.35, 0.6
_BAD_SHARE, _LONE_SHARE, _FEW_LETTERS, _MOST_OF_PAGE = 0.1, 0.6, 100, 0.4


class Layer(Protocol):
    """The part of PDFium's text page that is used here; coordinates in points, upwards."""

    def count_chars(self) -> int: ...

    def get_charbox(self, index: int, loose: bool = False) -> tuple[float, float, float, float]: ...


def laid_out(layer: Layer, raw: str, seen: str | None = None) -> str:
    """Join words that are broken over lines, and put a blank line where the gap between lines is wide.

    Where something else is `seen` than the layer holds, its lines are left as they are.
    """
    if seen is not None and seen != raw:
        return seen
    text = raw
    # Only then is a place in the text a place in the layer.
    if layer.count_chars() == len(raw):
        for at in reversed(_wide_gaps(layer, raw)):
            text = f"{text[:at]}\n{text[at:]}"
    return joined(text)


def joined(text: str) -> str:
    """Join words that are broken over lines."""
    return _BROKEN_WORD.sub("", text)


def _wide_gaps(layer: Layer, raw: str) -> list[int]:
    """Return where lines begin that stand clearly further below the last than is usual on this page."""
    lines = []
    for match in _LINE.finditer(raw):
        first = next((at for at in range(match.start(), match.end()) if not raw[at].isspace()), None)
        if first is not None:
            _, bottom, _, top = layer.get_charbox(first, loose=True)
            lines.append((match.start(), bottom, top - bottom))
    steps = [(start, above - below) for (_, above, _), (start, below, _) in pairwise(lines)]
    down = [step for _, step in steps if step > 1]
    if len(lines) < _MIN_LINES or not down:
        return []
    usual = median(down)
    wide = [start for start, step in steps if step > _WIDE_GAP * usual or step < -usual]
    return wide if len(wide) <= _TOO_MANY * len(lines) else []


def trusted(raw: str, covered: float, *, drawn: bool) -> bool:
    """Decide whether a text layer is good; `covered` is the share of the page under its largest picture.

    An empty layer is good on an empty page only (`drawn` is false). Text that is short beside a picture that fills
    the page is a stamp on a scan.
    """
    visible = [character for character in raw if not character.isspace()]
    if not visible:
        return not drawn
    if len(_UNREADABLE.findall(raw)) - len(_BROKEN_WORD.findall(raw)) > _BAD_SHARE * len(visible):
        return False
    words = raw.split()
    alone = sum(1 for word in words if len(word) == 1 and word.isalpha() and word.isascii())
    if len(words) >= 20 and alone > _LONE_SHARE * len(words):
        return False
    letters = sum(1 for character in visible if character.isalnum())
    return letters >= _FEW_LETTERS or covered < _MOST_OF_PAGE
