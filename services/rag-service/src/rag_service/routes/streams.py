"""The two ways to send an answer: whole, or as a stream whose first failure still is a status code."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from llm_providers.types import Failover, Thought
from rag_service.answers import Answered, AnswerEvent


@dataclass(slots=True)
class WholeAnswer:
    """The end of an answer, with what happened on the way."""

    answer: Answered
    failovers: list[Failover] = field(default_factory=list)
    reasoning: str = ""


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
