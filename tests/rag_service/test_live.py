"""Answers that go on without a reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from rag_service.live import STOPPING, LiveAnswers
from service_kit.errors import Conflict, NotFound


class Script:
    """Frames of an answer, each when the test lets it come."""

    def __init__(self) -> None:
        self._go: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False

    def give(self, *frames: str | None) -> None:
        for frame in frames:
            self._go.put_nowait(frame)

    async def frames(self) -> AsyncGenerator[str, None]:
        try:
            while (frame := await self._go.get()) is not None:
                yield frame
        except asyncio.CancelledError:
            yield STOPPING
        finally:
            self.closed = True


async def test_every_reader_gets_all_of_it_and_it_goes_on_without_any() -> None:
    live, script = LiveAnswers(), Script()
    answer = live.start("c", "Why?", script.frames())
    reader = answer.follow()
    script.give("one")
    assert await anext(reader) == "one"
    assert live.question("c") == "Why?"
    await reader.aclose()
    script.give("two", None)
    assert [frame async for frame in live.get("c").follow()] == ["one", "two"]
    assert [frame async for frame in live.get("c").follow()] == ["one", "two"]
    assert script.closed
    assert live.question("c") is None
    await live.aclose()


async def test_a_conversation_has_one_answer_at_a_time() -> None:
    live, script = LiveAnswers(), Script()
    live.start("c", "Why?", script.frames())
    with pytest.raises(Conflict):
        live.start("c", "Why?", Script().frames())
    await live.get("c").stop()
    assert [frame async for frame in live.get("c").follow()] == [STOPPING]
    live.start("c", "Why?", Script().frames())
    with pytest.raises(NotFound):
        live.get("other")
    await live.aclose()


async def test_stopping_ends_what_readers_wait_for() -> None:
    live, script = LiveAnswers(), Script()
    answer = live.start("c", "Why?", script.frames())
    script.give("one")
    reader = answer.follow()
    assert await anext(reader) == "one"
    waiting = asyncio.ensure_future(anext(reader))
    await live.aclose()
    assert await waiting == STOPPING
