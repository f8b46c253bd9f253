"""An answer as it comes: the events that a reader gets, and the draft that they add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from llm_providers.completion import Completion
from llm_providers.grounding import NO_ANSWER
from llm_providers.types import ChatEvent, Failover, ModelInfo, Started, Thought, Token, Usage
from rag_service.citations import Citation
from rag_service.ranking import Passage

NOT_FOUND = "This was not found in your documents."


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer will be made of; comes first."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    question: str
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer; `answered` is false where the documents do not hold one."""

    text: str
    answered: bool
    citations: list[Citation]
    finish_reason: str
    usage: Usage
    backend: str
    model: str
    extractive: bool
    degraded: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    conversation_id: str | None = None


AnswerEvent: TypeAlias = Sources | Token | Thought | Failover | Answered


class AnswerDraft:
    """An answer as it comes. One from documents holds back what may turn out to be the word for "no answer"."""

    def __init__(self, asked: ModelInfo | None) -> None:
        self._completion = Completion()
        self._from_documents = asked is not None
        self._held: str | None = "" if asked else None
        if asked is not None:
            self._completion.started = Started(asked.backend, asked.model, asked.extractive)
        self._started = perf_counter()
        self.answered = True
        self.degraded: tuple[str, ...] = ()
        self.reasons: tuple[str, ...] = ()
        self.seconds: dict[str, float] = {}

    @property
    def text(self) -> str:
        return self._completion.text if self.answered else NOT_FOUND

    def add(self, event: ChatEvent) -> Token | Thought | Failover | None:
        """Take the next event, and return what the reader gets of it."""
        self._completion.add(event)
        match event:
            case Token():
                return self._shown(event)
            case Failover():
                if event.restarted:
                    self._held = "" if self._from_documents else None
                return event
            case Thought():
                return event
        return None

    def end(self) -> Token | None:
        """Return what was held back, or what stands for no answer."""
        if self._held is None:
            return None
        self.answered = bool(self._held.strip()) and not self._held.strip().startswith(NO_ANSWER)
        return Token(self.text)

    def not_found(self) -> Token:
        """End without having asked the model: no passage was found, or none fits."""
        self.answered = False
        return Token(self.text)

    def lap(self, stage: str, since: float) -> float:
        """Record the seconds of a stage that began at `since`, and return the time now."""
        now = perf_counter()
        self.seconds[stage] = now - since
        return now

    def answer(
        self,
        citations: list[Citation] | None = None,
        warnings: tuple[str, ...] = (),
        conversation_id: str | None = None,
    ) -> Answered:
        """Return the whole answer."""
        self.lap("total", self._started)
        done, started = self._completion.done, self._completion.started
        return Answered(
            self.text,
            self.answered,
            citations or [],
            done.finish_reason,
            done.usage,
            started.backend,
            started.model,
            started.extractive,
            self.degraded,
            (*self.reasons, *done.warnings, *warnings),
            {stage: round(seconds, 4) for stage, seconds in self.seconds.items()},
            conversation_id,
        )

    def _shown(self, token: Token) -> Token | None:
        if self._held is None:
            return token
        self._held += token.text
        if NO_ANSWER.startswith(self._held.strip()[: len(NO_ANSWER)]):
            return None
        held, self._held = self._held, None
        return Token(held)
