"""What the streams of both protocols have in common: from deltas to events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Literal

from llm_providers.backends._reasoning import ReasoningFilter
from llm_providers.errors import AnswerVoid, InvalidResponse
from llm_providers.prompting import estimate_prompt
from llm_providers.types import ChatEvent, ChatRequest, Done, Started, Thought, Token, Usage


class AnswerStream(ABC):
    """Turns deltas of content and reasoning into the events of one answer.

    A reasoning model is asked for more tokens than `request` allows, because its limit covers the thoughts too: its
    answer is `cut` here when it has as many pieces as the request allows tokens.
    """

    def __init__(self, backend: str, model: str, request: ChatRequest, *, inside: bool = False) -> None:
        self._backend, self._model, self._request = backend, model, request
        self._filter = ReasoningFilter(opened=inside)
        self._usage: Usage | None = None
        self._reason: Literal["stop", "length"] = "stop"
        self._answer_pieces = self._thought_pieces = 0
        self.started = self.finished = self.cut = False
        self.warnings: tuple[str, ...] = ()

    @property
    def reasoned(self) -> bool:
        """Whether the model has thought before its answer."""
        return self._thought_pieces > 0

    @property
    def starved(self) -> bool:
        """Whether the thought took the whole limit, so that no answer came."""
        return self.finished and self._reason == "length" and self.reasoned and not self._answer_pieces

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

    def count(self, usage: Usage) -> None:
        """Take the engine's own count of tokens."""
        self._usage = usage

    def end(self, reason: Literal["stop", "length"]) -> list[ChatEvent]:
        """Return what was held back; the stream has ended as its protocol says."""
        self._reason = reason
        events = self._emit(self._filter.end())
        self.finished = True
        return events if self.started else [self._start(), *events]

    def done(self) -> Done:
        """Return the end of the answer; raises `InvalidResponse` if the model never got to it."""
        if self.starved:
            raise InvalidResponse(
                "the model used its whole token limit for reasoning and did not begin its answer", backend=self._backend
            )
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
