"""Separates a model's reasoning from its answer where it comes inline, between tags, cut anywhere into pieces."""

from __future__ import annotations

from llm_providers.types import Thought, Token

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "[THINK]": "[/THINK]",
}
_CLOSING = tuple(_TAGS.values())


class ReasoningFilter:
    """Turns pieces of content into `Thought` and `Token`.

    A model whose template opens the thought itself sends only the closing tag: `opened` says that the content begins
    inside a thought. A first piece that turns out to have been one sets `began_inside`, which voids what was emitted.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._pending = ""
        self._closing = "</think>" if opened else ""
        self._answer_begun = False
        self._after_thought = False
        self.began_inside = False

    def feed(self, text: str) -> list[Thought | Token]:
        """Return what is certain after one more piece."""
        self._pending += text
        events: list[Thought | Token] = []
        while self._pending:
            before = len(self._pending)
            events += self._inside() if self._closing else self._outside()
            if len(self._pending) == before or self.began_inside:
                break
        return [event for event in events if event.text]

    def end(self) -> list[Thought | Token]:
        """Return what was held back, when nothing more comes: an unfinished thought stays one."""
        rest, self._pending = self._pending, ""
        if not rest:
            return []
        return [Thought(rest) if self._closing else Token(self._visible(rest))]

    def _inside(self) -> list[Thought | Token]:
        at = self._pending.find(self._closing)
        if at >= 0:
            thought, self._pending = self._pending[:at], self._pending[at + len(self._closing) :]
            self._closing, self._after_thought = "", True
            return [Thought(thought)]
        return [Thought(self._take(self._held_back((self._closing,))))]

    def _outside(self) -> list[Thought | Token]:
        found = [(at, tag) for tag in _TAGS if (at := self._pending.find(tag)) >= 0]
        stray = [at for tag in _CLOSING if (at := self._pending.find(tag)) >= 0]
        if stray and not self._after_thought and (not found or min(stray) < min(found)[0]):
            self.began_inside = True
            return []
        if found:
            at, tag = min(found)
            text, self._pending = self._pending[:at], self._pending[at + len(tag) :]
            self._closing = _TAGS[tag]
            return [Token(self._visible(text))]
        return [Token(self._visible(self._take(self._held_back((*_TAGS, *_CLOSING)))))]

    def _take(self, held_back: int) -> str:
        at = len(self._pending) - held_back
        text, self._pending = self._pending[:at], self._pending[at:]
        return text

    def _held_back(self, tags: tuple[str, ...]) -> int:
        """Return the length of the longest end of the pending text that may be the beginning of a tag."""
        longest = min(max(map(len, tags)) - 1, len(self._pending))
        return next(
            (size for size in range(longest, 0, -1) if any(tag.startswith(self._pending[-size:]) for tag in tags)), 0
        )

    def _visible(self, text: str) -> str:
        """Drop the white space between a thought and the answer."""
        if self._after_thought and not self._answer_begun:
            text = text.lstrip()
        self._answer_begun = self._answer_begun or bool(text.strip())
        return text
