"""Loops of a weak model: the same words again and again until its tokens are used up."""

from __future__ import annotations

import re

_EVERY = 160
"""Characters between two looks: the cost of a look does not grow with the answer."""
_WINDOW = 4000
_SHORTEST, _LONGEST = 4, 80
"""Words of what is repeated."""
_TIMES = 3
_WORD = re.compile(r"\S+")


class Repetition:
    """Watches an answer as it comes."""

    def __init__(self) -> None:
        self._tail = ""
        self._unseen = 0

    def add(self, text: str) -> bool:
        """Take more of the answer; return whether it ends in the same span of words three times in a row."""
        self._tail = (self._tail + text)[-_WINDOW:]
        self._unseen += len(text)
        if self._unseen < _EVERY:
            return False
        self._unseen = 0
        return _span([match.group() for match in _WORD.finditer(self._tail)]) is not None

    def cut(self, text: str) -> str:
        """Return the text up to the end of the first occurrence of what is repeated at its end."""
        words = list(_WORD.finditer(text))
        size = _span([match.group() for match in words])
        if size is None:
            return text
        last = len(words) - 1
        # The last word may be cut off; whatever stands a period before it belongs to the loop as well.
        begin = last
        while begin - size >= 0 and (begin == last or words[begin].group() == words[begin - size].group()):
            begin -= 1
        return text[: words[begin].end()] if begin >= 0 else text[: words[size - 1].end()]


def _span(words: list[str]) -> int | None:
    """Return after how many words the end repeats itself three times; its last word, which may be half, is left out."""
    whole = words[:-1]
    for size in range(_SHORTEST, min(_LONGEST, len(whole) // _TIMES) + 1):
        tail = whole[-size:]
        if all(whole[-size * (n + 1) : -size * n] == tail for n in range(1, _TIMES)):
            return size
    return None
