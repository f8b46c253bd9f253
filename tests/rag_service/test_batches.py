"""Events in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from rag_service.batches import batched


async def test_what_comes_at_once_is_together_and_nothing_waits_for_the_next() -> None:
    more, closed = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
            await more.wait()
            yield 3
        finally:
            closed.set()

    batches = batched(events(), 0.05, 60)
    assert await anext(batches) == [1, 2]
    more.set()
    assert await anext(batches) == [3]
    with pytest.raises(StopAsyncIteration):
        await anext(batches)
    assert closed.is_set()


async def test_what_came_before_an_error_is_not_lost() -> None:
    async def events() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("cut")

    batches = batched(events(), 60, 60)
    assert await anext(batches) == [1]
    with pytest.raises(ValueError, match="cut"):
        await anext(batches)


async def test_where_nothing_comes_an_empty_list_says_so_and_leaving_closes_the_events() -> None:
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
            yield 1
        finally:
            closed.set()

    batches = batched(events(), 60, 0.01)
    assert await anext(batches) == []
    await batches.aclose()
    assert closed.is_set()
