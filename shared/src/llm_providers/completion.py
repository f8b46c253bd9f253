"""The whole text of an answer, for callers that do not stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from llm_providers.base import LLMProvider
from llm_providers.deadline import Deadline
from llm_providers.tokens import estimate_tokens
from llm_providers.types import ChatRequest, Done, Failover, Started, Token, Usage


class Completion:
    """An answer as it comes together from its events; text that a restart discards is dropped."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.started = Started("", "")
        self._ended: Done | None = None

    @property
    def done(self) -> Done:
        """What ended it: where it was stopped before the engine said so, with an estimate of the tokens that came."""
        if self._ended is not None:
            return self._ended
        return Done("stop", Usage(0, estimate_tokens(self.text), estimated=True) if self._pieces else Usage())

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, event: object) -> None:
        """Take the next event; reasoning is no part of the text."""
        match event:
            case Token():
                self._pieces.append(event.text)
            case Started():
                self.started = event
            case Failover():
                self.started = Started(event.to_backend, event.model, event.extractive)
                if event.restarted:
                    self._pieces.clear()
            case Done():
                self._ended = event


def before_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text up to the first of the words that end an answer."""
    return text[: min((at for word in stop if (at := text.find(word)) >= 0), default=len(text))]


async def complete(provider: LLMProvider, request: ChatRequest, deadline: Deadline) -> Completion:
    """Return the whole answer; raises what `chat` raises."""
    completion = Completion()
    async with aclosing(provider.chat(request, deadline)) as stream:
        async for event in stream:
            completion.add(event)
    return completion
