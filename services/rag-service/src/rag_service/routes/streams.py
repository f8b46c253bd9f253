"""The two ways to send an answer: whole, or as a stream whose first failure still is a status code."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from llm_providers.types import Failover, Thought, Token
from rag_service.answers import Answered, AnswerEvent
from service_kit.limits import NO_LIMITS, Budget


@dataclass(slots=True)
class WholeAnswer:
    """The end of an answer, with what happened on the way."""

    answer: Answered
    failovers: list[Failover] = field(default_factory=list)
    reasoning: str = ""


def metered(events: AsyncGenerator[AnswerEvent, None], budget: Budget) -> AsyncGenerator[AnswerEvent, None]:
    """Hand the events on within the key's limits, and count the tokens; of an answer that ends early, those that were sent.

    They raise `TooManyRequests` before the first event.
    """
    return events if budget.limits == NO_LIMITS else _metered(events, budget)


async def _metered(events: AsyncGenerator[AnswerEvent, None], budget: Budget) -> AsyncGenerator[AnswerEvent, None]:
    sent, usage = 0, None
    with budget.generation():
        try:
            async with aclosing(events):
                async for event in events:
                    sent += isinstance(event, Token | Thought)
                    if isinstance(event, Answered):
                        usage = event.usage
                    yield event
        finally:
            budget.spend(sent if usage is None else usage.prompt_tokens + usage.completion_tokens)


async def first_two(events: AsyncGenerator[AnswerEvent, None]) -> list[AnswerEvent]:
    """Return the sources and the first piece of the answer; raises what the events raise, and closes them then."""
    try:
        return [await anext(events), await anext(events)]
    except BaseException:
        await events.aclose()
        raise


async def last(events: AsyncGenerator[AnswerEvent, None]) -> WholeAnswer:
    """Return the whole answer; raises what the events raise."""
    failovers, reasoning = list[Failover](), list[str]()
    async with aclosing(events):
        async for event in events:
            match event:
                case Failover():
                    failovers.append(event)
                case Thought():
                    reasoning.append(event.text)
                case Answered():
                    return WholeAnswer(event, failovers, "".join(reasoning))
    raise AssertionError("an answer ends with `Answered`")
