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
from llm_providers.deadline import Deadline
from llm_providers.grounding import NO_ANSWER
from llm_providers.tokens import estimate_tokens
from llm_providers.types import ChatRequest, Done, Message, ModelInfo, Source, Started, Token, Usage
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


AnswerEvent: TypeAlias = Sources | Token | Answered


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
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield `Sources`, any number of `Token`, one `Answered`; raises what providers and retrieval raise."""
        started = perf_counter()
        info = await self._chat.info(deadline)
        standalone = await self._condense(info, question, history, deadline)
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
            _prompt(question if not info.extractive else standalone, history, passages), max_tokens=budget
        )
        collected: list[str] = []
        begun = Started(info.backend, info.model, info.extractive)
        done = Done("stop")
        generation = perf_counter()
        held: str | None = ""
        async with aclosing(self._chat.chat(request, deadline)) as events:
            async for event in events:
                if isinstance(event, Started):
                    begun = event
                    seconds["first_token"] = perf_counter() - generation
                elif isinstance(event, Done):
                    done = event
                else:
                    collected.append(event.text)
                    if held is None:
                        yield event
                        continue
                    # Held back only for as long as it may still turn out to be the word for "no answer".
                    held += event.text
                    if not NO_ANSWER.startswith(held.strip()[: len(NO_ANSWER)]):
                        yield Token(held)
                        held = None
        seconds["generation"] = perf_counter() - generation
        text = "".join(collected)
        answered = held is None or (bool(held.strip()) and not held.strip().startswith(NO_ANSWER))
        if held is not None:
            text = text if answered else NOT_FOUND
            yield Token(text)
        citations, unknown = check(text, passages) if answered else ([], [])
        warnings = (*done.warnings, *(f"cites a source that was not given: [{label}]" for label in unknown))
        seconds["total"] = perf_counter() - started
        yield Answered(
            text,
            answered,
            citations,
            done.finish_reason,
            done.usage,
            begun.backend,
            begun.model,
            begun.extractive,
            found.degraded,
            warnings,
            _rounded(seconds),
        )

    async def _condense(self, info: ModelInfo, question: str, history: Sequence[Message], deadline: Deadline) -> str:
        asked_before = [message.content for message in history if message.role == "user"]
        if not asked_before:
            return question
        if info.extractive:
            return f"{asked_before[-1]} {question}" if _POINTS_BACK.search(question) else question
        messages = (Message("system", _CONDENSE), *history, Message("user", question))
        async with aclosing(self._chat.chat(ChatRequest(messages, _CONDENSE_TOKENS, 0.0), deadline)) as events:
            pieces = [event.text async for event in events if isinstance(event, Token)]
        return " ".join("".join(pieces).split())[:2000] or question

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
            (),
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
