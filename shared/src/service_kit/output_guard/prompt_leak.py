"""Whether an answer repeats the rules that the model was given."""

from __future__ import annotations

import base64
import codecs
import secrets
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import lru_cache

CANARY = f"rules-{secrets.token_hex(4)}"
"""A word that stands in every system prompt of this process and nowhere else."""
_LONGEST_RUN = 45
"""Letters in the order of the prompt, from which they are a leak: about ten words."""
_SUSPICIOUS = 20
_SHORTEST_RUN = 8


def marked(rules: str) -> str:
    """Return rules with the canary, which gives a repeated prompt away."""
    return f"{rules} ({CANARY})"


class PromptLeak:
    """Follows the letters of an answer along the rules, and holds back what may become a leak.

    Only letters count, so that numbers, lines or signs between words or letters hide nothing. The rules are known in plain words, in
    base64, hexadecimal and rot13, and from their end.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        self._letters, self._places = _index(tuple(rules))
        self._last = ""
        self._begins: deque[int] = deque(maxlen=_SHORTEST_RUN)
        """The last letters, and where they stand in the answer."""
        self._runs: dict[int, tuple[int, int]] = {}
        """By the place in the rules of its last letter: how many letters a run has, and where it began in the answer."""
        self.held = ""
        self._end = 0

    def add(self, text: str, *, whole: bool) -> tuple[str, bool]:
        """Take more of the answer, or the rest of the `whole`; return what can be shown, and whether a leak follows it."""
        self.held += text
        first, self._end = self._end, self._end + len(text)
        for place, character in enumerate(text, first):
            if character.isalpha():
                for letter in character.casefold():
                    self._follow(letter, place)
                leak = next((begun for length, begun in self._runs.values() if length >= _LONGEST_RUN), None)
                if leak is not None:
                    return self._released_to(leak), True
        suspicious = [begun for length, begun in self._runs.values() if length >= _SUSPICIOUS]
        return self._released_to(self._end if whole else min(suspicious, default=self._end)), False

    def _follow(self, letter: str, begin: int) -> None:
        self._last = (self._last + letter)[-_SHORTEST_RUN:]
        self._begins.append(begin)
        begun = dict.fromkeys(self._places.get(self._last, ()), (_SHORTEST_RUN, self._begins[0]))
        going_on = (
            (place + 1, (length + 1, begin))
            for place, (length, begin) in self._runs.items()
            if self._letters[place + 1] == letter
        )
        self._runs = begun | dict(going_on)

    def _released_to(self, place: int) -> str:
        """Return the held text before a place in the answer; its first words may be shown already."""
        size = max(0, len(self.held) - (self._end - place))
        shown, self.held = self.held[:size], self.held[size:]
        return shown


@lru_cache(maxsize=16)
def _index(rules: tuple[str, ...]) -> tuple[str, dict[str, list[int]]]:
    """Return the letters of all forms of the rules, each form with a sign at its end, and the last places of short runs."""
    forms = (form for text in rules for form in _forms(text))
    letters = "".join("".join(filter(str.isalpha, form)).casefold() + "." for form in forms)
    places: dict[str, list[int]] = defaultdict(list)
    for end in range(_SHORTEST_RUN, len(letters) + 1):
        places[letters[end - _SHORTEST_RUN : end]].append(end - 1)
    return letters, places


def _forms(text: str) -> Iterator[str]:
    yield from (text, text[::-1], " ".join(text.split()[::-1]), codecs.encode(text, "rot13"), text.encode().hex())
    # Three bytes make four letters: by how many bytes stand before the rules, they look different.
    yield from (base64.b64encode(text.encode()[skipped:]).decode() for skipped in range(3))
