"""Asking: condense, retrieve, prompt within the token budget, stream, check the citations, remember."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

import structlog

from llm_providers.base import LLMProvider
from llm_providers.completion import complete
from llm_providers.deadline import Deadline
from llm_providers.grounding import NO_ANSWER
from llm_providers.tokens import estimate_tokens
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    Done,
    Failover,
    Message,
    ModelInfo,
    Source,
    Started,
    Thought,
    Token,
    Usage,
)
from rag_service.citations import Citation, check
from rag_service.retrieval import Found, Passage, Retriever

log = structlog.get_logger(__name__)

NOT_FOUND = "This was not found in your documents."
_RULES = (
    "You answer questions from the user's documents. Use only the sources given. Put the label of the source behind each "
    f"claim, like this: [1]. Answer in the language of the question, briefly. If the sources do not hold the answer, reply "
    f"{NO_ANSWER} and nothing else."
)
_CONDENSE = (
    "Rewrite the last question so that it can be understood without the conversation. Keep its language. Reply with the "
    "question only."
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|him|his|she|her|that|this|those|these|there|then|ones?|hij|zij|ze|er|dat|die|hun|es|sie|ihr)\b|"
    r"^(?:and|or|but|why|en|und|aber)\b",
    re.IGNORECASE,
)
"""What an extractive model, which can't rewrite a question, tells a follow-up by."""
_PROMPT_SLACK = 256
_CONDENSE_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Sources:
    """What the answer will be made of; comes first."""

    passages: list[Passage]
    degraded: tuple[str, ...]
    question: str


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


AnswerEvent: TypeAlias = Sources | Token | Thought | Failover | Answered


@dataclass(frozen=True, slots=True)
class Route:
    """Where a question may be answered: `affinity` keeps a conversation on one side of a canary, `backend` asks for one."""

    affinity: str = ""
    backend: str | None = None


class Answerer:
    """The use case behind both query endpoints."""

    def __init__(self, chat: LLMProvider, retriever: Retriever, *, top_k: int, max_tokens: int) -> None:
        self._chat = chat
        self._retriever = retriever
        self._top_k = top_k
        self._max_tokens = max_tokens

    async def ask(
        self,
        collection: str,
        question: str,
        deadline: Deadline,
        history: Sequence[Message] = (),
        top_k: int | None = None,
        max_tokens: int | None = None,
        route: Route = Route(),
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield `Sources`, any number of `Token`, one `Answered`; raises what providers and retrieval raise.

        A `Failover` in between says that another backend goes on; one that restarted makes the tokens so far void.
        """
        started = perf_counter()
        info = await self._chat.info(deadline)
        standalone = await self._condense(info, question, history, deadline, route)
        condensed = perf_counter()
        found = await self._retriever.search(collection, standalone, top_k or self._top_k, deadline)
        budget = max_tokens or self._max_tokens
        passages = _fitting(found.passages, info.context_tokens - budget - _PROMPT_SLACK, question, history)
        seconds = {"condense": condensed - started, **found.seconds, "retrieval": perf_counter() - condensed}
        yield Sources(passages, found.degraded, standalone)
        if not passages:
            yield Token(NOT_FOUND)
            yield self._not_found(info, found, seconds, started)
            return
        request = ChatRequest(
            _prompt(question if not info.extractive else standalone, history, passages),
            max_tokens=budget,
            affinity=route.affinity,
            backend=route.backend,
        )
        draft = _Draft(info)
        async for event in self._told(request, deadline, draft, seconds):
            yield event
        citations, unknown = check(draft.text, passages) if draft.answered else ([], [])
        invented = (f"cites a source that was not given: [{label}]" for label in unknown)
        warnings = (*found.reasons, *draft.done.warnings, *invented)
        yield draft.answer(citations, found.degraded, warnings, seconds, started)

    async def converse(
        self, messages: tuple[Message, ...], deadline: Deadline, max_tokens: int | None, route: Route
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Let the model answer without any documents; yields and raises what `ask` does, without sources."""
        started, seconds = perf_counter(), dict[str, float]()
        yield Sources([], (), "")
        request = ChatRequest(messages, max_tokens or self._max_tokens, affinity=route.affinity, backend=route.backend)
        draft = _Draft(None)
        async for event in self._told(request, deadline, draft, seconds):
            yield event
        yield draft.answer([], (), draft.done.warnings, seconds, started)

    async def _told(
        self, request: ChatRequest, deadline: Deadline, draft: _Draft, seconds: dict[str, float]
    ) -> AsyncGenerator[AnswerEvent, None]:
        generation = perf_counter()
        async with aclosing(self._chat.chat(request, deadline)) as events:
            async for event in events:
                if isinstance(event, Started):
                    seconds["first_token"] = perf_counter() - generation
                if (said := draft.hear(event)) is not None:
                    yield said
        seconds["generation"] = perf_counter() - generation
        if (rest := draft.end()) is not None:
            yield rest

    async def _condense(
        self, info: ModelInfo, question: str, history: Sequence[Message], deadline: Deadline, route: Route
    ) -> str:
        asked_before = [message.content for message in history if message.role == "user"]
        if not asked_before:
            return question
        if info.extractive:
            return f"{asked_before[-1]} {question}" if _POINTS_BACK.search(question) else question
        messages = (Message("system", _CONDENSE), *history, Message("user", question))
        request = ChatRequest(messages, _CONDENSE_TOKENS, 0.0, affinity=route.affinity, backend=route.backend)
        rewritten = (await complete(self._chat, request, deadline)).text
        return " ".join(rewritten.split())[:2000] or question

    def _not_found(self, info: ModelInfo, found: Found, seconds: dict[str, float], started: float) -> Answered:
        seconds["total"] = perf_counter() - started
        return Answered(
            NOT_FOUND,
            False,
            [],
            "stop",
            Usage(),
            info.backend,
            info.model,
            info.extractive,
            found.degraded,
            found.reasons,
            _rounded(seconds),
        )


class _Draft:
    """An answer as it comes. Asked of documents, it holds back what may turn out to be the word for "no answer"."""

    def __init__(self, asked: ModelInfo | None) -> None:
        self._pieces: list[str] = []
        self._documents = asked is not None
        self._held: str | None = "" if self._documents else None
        self._by = Started(asked.backend, asked.model, asked.extractive) if asked else Started("", "")
        self.done = Done("stop")
        self.answered = True

    @property
    def text(self) -> str:
        return "".join(self._pieces) if self.answered else NOT_FOUND

    def hear(self, event: ChatEvent) -> Token | Thought | Failover | None:
        """Take the next event, and return what the reader is to have of it."""
        match event:
            case Token():
                self._pieces.append(event.text)
                if self._held is None:
                    return event
                self._held += event.text
                if not NO_ANSWER.startswith(self._held.strip()[: len(NO_ANSWER)]):
                    held, self._held = self._held, None
                    return Token(held)
            case Thought():
                return event
            case Started():
                self._by = event
            case Failover():
                self._by = Started(event.to_backend, event.model, event.extractive)
                if event.restarted:
                    self._pieces.clear()
                    self._held = "" if self._documents else None
                return event
            case Done():
                self.done = event
        return None

    def end(self) -> Token | None:
        """Return what was held back, or what stands for no answer."""
        if self._held is None:
            return None
        self.answered = bool(self._held.strip()) and not self._held.strip().startswith(NO_ANSWER)
        return Token(self.text)

    def answer(
        self,
        citations: list[Citation],
        degraded: tuple[str, ...],
        warnings: tuple[str, ...],
        seconds: dict[str, float],
        started: float,
    ) -> Answered:
        seconds["total"] = perf_counter() - started
        return Answered(
            self.text,
            self.answered,
            citations,
            self.done.finish_reason,
            self.done.usage,
            self._by.backend,
            self._by.model,
            self._by.extractive,
            degraded,
            warnings,
            _rounded(seconds),
        )


def _fitting(passages: Sequence[Passage], budget: int, question: str, history: Sequence[Message]) -> list[Passage]:
    """Return as many of the best passages as the prompt has room for."""
    left = budget - estimate_tokens(_RULES + question) - sum(estimate_tokens(message.content) for message in history)
    kept = []
    for passage in passages:
        left -= estimate_tokens(passage.text) + 32
        if left < 0:
            break
        kept.append(passage)
    return kept


def _prompt(question: str, history: Sequence[Message], passages: Sequence[Passage]) -> tuple[Message, ...]:
    """The part that never changes comes first, so that prefix caching pays."""
    sources = tuple(
        Source(str(number), f"{passage.title}, page {passage.page}", passage.text)
        for number, passage in enumerate(passages, 1)
    )
    return (Message("system", _RULES), *history, Message("user", question, sources=sources))


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items()}
