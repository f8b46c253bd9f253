"""Loops of a weak model: the same words again and again until its tokens are used up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from llm_providers.sentences import Sentence, split

_EVERY = 160
"""Characters between two looks: the cost of a look does not grow with the answer."""
_WINDOW = 4000
_SHORTEST, _LONGEST = 4, 80
"""Words of what is repeated."""
_TIMES = 3
_WORD = re.compile(r"\S+")
_FEWEST_WORDS = 4
"""Of a sentence that counts as said again; shorter ones, and cells of a table, may be meant."""
_LABEL = re.compile(r"\[\d{1,3}(?:,\s*\d{1,3})*\]")
_LETTERS = re.compile(r"[^\W\d_]+|\d+")


class Repetition:
    """Watches an answer as it comes."""

    def __init__(self) -> None:
        self._tail = self._pending = ""
        self._unseen = 0
        self._said = Counter[str]()

    def add(self, text: str) -> bool:
        """Take more of the answer; return whether it ends in the same span of words three times in a row, or says a sentence again and again."""
        self._pending = (self._pending + text)[-_WINDOW:]
        self._tail = (self._tail + text)[-_WINDOW:]
        self._unseen += len(text)
        if self._unseen < _EVERY:
            return False
        self._unseen = 0
        *complete, last = split(self._pending) or [Sentence("", 0, 0)]
        self._pending = self._pending[last.start :]
        self._said.update(_keys(complete))
        if any(key and self._said[key] >= _TIMES for key in _keys(complete)):
            return True
        return _span([match.group() for match in _WORD.finditer(self._tail)]) is not None

    def cut(self, text: str) -> str:
        """Return the text up to the end of the first occurrence of what is repeated at its end."""
        text = _before_said_again(text)
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


def _keys(sentences: Iterable[Sentence]) -> Iterable[str]:
    """Return what is the same in two sentences but for their labels and signs; nothing for those that are too short."""
    words = (_LETTERS.findall(_LABEL.sub("", sentence.text).lower()) for sentence in sentences)
    return [" ".join(found) if len(found) >= _FEWEST_WORDS else "" for found in words]


def _before_said_again(text: str) -> str:
    """Return the text up to the second time of the first sentence that comes three times."""
    sentences = split(text)
    keys = _keys(sentences)
    times, seen = Counter(key for key in keys if key), set[str]()
    for key, sentence in zip(keys, sentences, strict=True):
        if times[key] >= _TIMES and key in seen:
            return text[: sentence.start].rstrip()
        seen.add(key)
    return text
