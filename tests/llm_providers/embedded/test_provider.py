"""The one thread behind the provider: cancelled, out of time, closed."""

from __future__ import annotations

import asyncio

import pytest

from llm_providers.backends.embedded import EmbeddedProvider
from llm_providers.backends.embedded.encoder import Encoder
from llm_providers.deadline import Deadline
from llm_providers.errors import DeadlineExceeded, Unavailable
from llm_providers.types import EmbedKind

LONG = ["The ferry leaves at nine in the morning. " * 40] * 400


def soon() -> Deadline:
    return Deadline.after(60)


async def test_cancelled_work_is_not_done_to_its_end(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    task = asyncio.create_task(provider.rerank("ferry", LONG, 3, soon()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await provider.embed(["a"], EmbedKind.QUERY, Deadline.after(8))).shape == (1, 384)
    await provider.aclose()


async def test_the_deadline_ends_it(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    with pytest.raises(DeadlineExceeded):
        await provider.rerank("ferry", LONG, 3, Deadline.after(0.05))
    await provider.aclose()


async def test_closing_while_busy_is_an_error_by_type(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    tasks = [asyncio.create_task(provider.rerank("ferry", LONG[:8], 3, soon())) for _ in range(4)]
    await asyncio.sleep(0.05)  # the first has begun
    await provider.aclose()
    first, *waiting = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, list)
    assert all(isinstance(each, Unavailable) for each in waiting)
    with pytest.raises(Unavailable, match="closed"):
        await provider.embed(["a"], EmbedKind.QUERY, soon())


def test_two_loops_one_after_the_other(encoder: Encoder) -> None:
    provider = EmbeddedProvider(encoder)
    shapes = [asyncio.run(provider.embed(["a"], EmbedKind.QUERY, soon())).shape for _ in range(2)]
    asyncio.run(provider.aclose())
    assert shapes == [(1, 384)] * 2
