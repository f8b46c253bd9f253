"""A request ends where it began; a halt ends it at once."""

from __future__ import annotations

import asyncio

import pytest

from engines.contract import ask, assert_whole, collect, soon, text_of
from llm_providers.errors import Halted, RequestRejected
from llm_providers.routing.switch import SwitchedChat
from llm_providers.testing import FakeLLM
from llm_providers.types import ChatRequest, Started


def switch_of(*fakes: FakeLLM) -> SwitchedChat:
    async def pinned(name: str) -> FakeLLM:
        for fake in fakes:
            if fake.name == name:
                return fake
        raise RequestRejected(f"no {name}")

    return SwitchedChat(fakes[0], pinned)


async def backend_of(switch: SwitchedChat, backend: str | None = None) -> str:
    events = await collect(switch.chat(ChatRequest(ask().messages, 64, backend=backend), soon()))
    assert isinstance(events[0], Started)
    return events[0].backend


async def test_a_running_answer_stays_where_it_is() -> None:
    first, second = FakeLLM(name="first", answer=lambda _: "one two three"), FakeLLM(name="second")
    switch = switch_of(first, second)
    stream = switch.chat(ask(), soon())
    events = [await anext(stream)]
    switch.replace(second, halted=False)
    assert await backend_of(switch) == "second"
    events += await collect(stream)
    assert text_of(events) == "one two three"
    assert isinstance(events[0], Started)
    assert events[0].backend == "first"


async def test_halt_ends_the_running_and_refuses_the_new() -> None:
    fake = FakeLLM(pause=30.0)
    switch = switch_of(fake)
    waiting = asyncio.create_task(collect(switch.chat(ask(), soon())))
    while not fake.calls:
        await asyncio.sleep(0)
    begun = asyncio.get_running_loop().time()
    switch.replace(fake, halted=True)
    with pytest.raises(Halted):
        await waiting
    assert asyncio.get_running_loop().time() - begun < 1
    assert fake.cancelled == 1
    with pytest.raises(Halted) as caught:
        await collect(switch.chat(ask(), soon()))
    assert caught.value.retry_after
    assert (await switch.info(soon())).backend == "fake"
    fake.pause = 0.0
    switch.replace(fake, halted=False)
    assert_whole(await collect(switch.chat(ask(), soon())))


async def test_halt_ends_an_answer_whose_reader_is_slow() -> None:
    fake = FakeLLM(answer=lambda _: "one two three")
    switch = switch_of(fake)
    stream = switch.chat(ask(), soon())
    await anext(stream)
    switch.replace(fake, halted=True)
    with pytest.raises(Halted):
        await anext(stream)


async def test_a_pinned_request_gets_that_backend_or_an_error() -> None:
    switch = switch_of(FakeLLM(name="first"), FakeLLM(name="second"))
    assert await backend_of(switch, "second") == "second"
    with pytest.raises(RequestRejected):
        await backend_of(switch, "third")


async def test_cancelling_the_reader_stops_the_engine() -> None:
    fake = FakeLLM(pause=30.0)
    task = asyncio.create_task(collect(switch_of(fake).chat(ask(), soon())))
    while not fake.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.cancelled == 1
