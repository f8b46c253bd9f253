"""Time-outs of one exchange with an engine, within the request's deadline."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from llm_providers.deadline import Deadline

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first output (a model may have to load), and between two pieces of output."""

    connect: float = 5.0
    first_token: float = 120.0
    idle: float = 30.0


async def paced(source: AsyncIterator[T], deadline: Deadline, timeouts: Timeouts) -> AsyncGenerator[T, None]:
    """Pass `source` on; raises `Timeout` where it pauses too long, `DeadlineExceeded` where the request does."""
    limit, what = timeouts.first_token, "the first token"
    while True:
        async with deadline.limit(limit, what):
            try:
                item = await anext(source)
            except StopAsyncIteration:
                return
        yield item
        limit, what = timeouts.idle, "the next token"
