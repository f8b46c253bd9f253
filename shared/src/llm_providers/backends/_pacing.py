"""Time-outs of one exchange with an engine, within the request's deadline."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from llm_providers.deadline import Deadline, Timeouts

T = TypeVar("T")


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
