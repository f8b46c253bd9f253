"""Whether an answer repeats the rules that the model was given."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Sequence

CANARY = f"rules-{secrets.token_hex(4)}"
"""A word that stands in every system prompt of this process and nowhere else."""
_WORD = re.compile(r"\w+")
_LONGEST_RUN = 10
"""Words in the order of the prompt, from which they are a leak."""
_SUSPICIOUS = 4


def marked(rules: str) -> str:
    """Return rules with the canary, which gives a repeated prompt away."""
    return f"{rules} ({CANARY})"


class PromptLeak:
    """Follows an answer word by word along the rules, and holds back words that may become a leak."""

    def __init__(self, rules: Sequence[str]) -> None:
        words = [word for text in rules for word in [*_WORD.findall(text.casefold()), ""]]
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            self._places[word].append(place)
        self._runs: dict[int, tuple[int, int]] = {}
        """By the place in the rules of its last word: how many words a run has, and where it began in the answer."""
        self.held = self._word = ""
        self._end = 0

    def add(self, text: str, *, whole: bool) -> tuple[str, bool]:
        """Take more of the answer, or the rest of the `whole`; return what can be shown, and whether a leak follows it."""
        self.held += text
        self._end += len(text)
        text = self._word + text
        first = self._end - len(text)
        self._word = ""
        for match in _WORD.finditer(text):
            if match.end() == len(text) and not whole:
                self._word = match.group()
                break
            self._follow(match.group().casefold(), first + match.start())
            if (
                leak := next((begun for length, begun in self._runs.values() if length >= _LONGEST_RUN), None)
            ) is not None:
                return self._released_to(leak), True
        suspicious = [begun for length, begun in self._runs.values() if length >= _SUSPICIOUS]
        return self._released_to(self._end if whole else min(suspicious, default=self._end)), False

    def _follow(self, word: str, begin: int) -> None:
        runs = ((place, self._runs.get(place - 1, (0, begin))) for place in self._places.get(word, ()))
        self._runs = {place: (length + 1, begun) for place, (length, begun) in runs}

    def _released_to(self, place: int) -> str:
        """Return the held text before a place in the answer; its first words may be shown already."""
        size = max(0, len(self.held) - (self._end - place))
        shown, self.held = self.held[:size], self.held[size:]
        return shown
