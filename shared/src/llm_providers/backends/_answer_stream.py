"""What the streams of both protocols have in common: from deltas to events.

A model's reasoning is told from its answer, also where it comes inline, between tags that are cut anywhere into pieces.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Literal

from llm_providers.errors import AnswerVoid, InvalidResponse
from llm_providers.prompting import estimate_prompt
from llm_providers.types import ChatEvent, ChatRequest, Done, Started, Thought, Token, Usage

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


class AnswerStream(ABC):
    """Turns deltas of content and reasoning into the events of one answer.

    A reasoning model is asked for more tokens than `request` allows, because its limit covers the thoughts too: its
    answer is `cut` here when it has as many pieces as the request allows tokens.
    """

    def __init__(self, backend: str, model: str, request: ChatRequest, *, inside: bool = False) -> None:
        self._backend, self._model, self._request = backend, model, request
        self._filter = ReasoningFilter(opened=inside)
        self._usage: Usage | None = None
        """The engine's own count of tokens, where it has one."""
        self._reason: Literal["stop", "length"] = "stop"
        self._answer_pieces = self._thought_pieces = 0
        self.started = self.finished = self.cut = False
        self.warnings: tuple[str, ...] = ()

    @property
    def reasoned(self) -> bool:
        """Whether the model has thought before its answer."""
        return self._thought_pieces > 0

    @property
    def began_inside(self) -> bool:
        """Whether the content began inside a thought that the prompt's template had opened."""
        return self._filter.began_inside

    @abstractmethod
    def read(self, line: bytes | None) -> list[ChatEvent]:
        """Return the events of a line, None standing for the end of the connection.

        Raises `StreamBroken`, `AnswerVoid`, the error that the line reports, and ValueError or LookupError for what is
        not the protocol.
        """

    def add(self, content: str, reasoning: str) -> list[ChatEvent]:
        """Return the events of one delta; raises `AnswerVoid` if what was emitted turns out to be a thought."""
        pieces: list[Thought | Token] = [Thought(reasoning)] if reasoning else []
        pieces += self._filter.feed(content) if content else []
        if self.began_inside:
            raise AnswerVoid("what was taken for the answer was the model's reasoning", backend=self._backend)
        return self._emit(pieces)

    def end(self, reason: Literal["stop", "length"]) -> list[ChatEvent]:
        """Return what was held back; the stream has ended as its protocol says."""
        self._reason = reason
        events = self._emit(self._filter.end())
        self.finished = True
        return events if self.started else [self._start(), *events]

    def done(self) -> Done:
        """Return the end of the answer; raises `InvalidResponse` if the model never got to it."""
        if self._reason == "length" and self.reasoned and not self._answer_pieces:
            words = "the model used its whole token limit for reasoning and did not begin its answer"
            raise InvalidResponse(words, backend=self._backend)
        pieces = self._answer_pieces + self._thought_pieces
        usage = self._usage or Usage(estimate_prompt(self._request.turns), pieces, estimated=True)
        if not usage.reasoning_tokens and self._thought_pieces:
            usage = replace(usage, reasoning_tokens=self._thought_pieces)
        return Done(self._reason, usage, self.warnings)

    def _emit(self, pieces: list[Thought | Token]) -> list[ChatEvent]:
        events: list[ChatEvent] = [] if self.started or not pieces else [self._start()]
        for piece in pieces:
            if isinstance(piece, Thought):
                self._thought_pieces += 1
            elif self.reasoned and self._answer_pieces >= self._request.max_tokens:
                self._reason, self.finished, self.cut = "length", True, True
                break
            else:
                self._answer_pieces += 1
            events.append(piece)
        return events

    def _start(self) -> Started:
        self.started = True
        return Started(self._backend, self._model)
