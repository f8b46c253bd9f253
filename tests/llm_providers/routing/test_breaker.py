from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engines.contract import ask, assert_whole, collect, soon
from llm_providers.errors import ModelNotFound, ProviderError, StreamBroken, Unavailable
from llm_providers.routing import Breaker, BreakerState
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.testing import FakeEmbeddings, FakeLLM, FakeRerank
from llm_providers.types import EmbedKind


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def guarded(fake: FakeLLM) -> tuple[Breaker[FakeLLM], Clock, list[str]]:
    clock, states = Clock(), list[str]()
    breaker = Breaker(
        fake,
        probe_chat,
        failures=2,
        reset=10.0,
        on_state=lambda name, state: states.append(f"{name} {state}"),
        clock=clock,
    )
    return breaker, clock, states


def state_of(breaker: Breaker[Any]) -> BreakerState:
    return breaker.state


async def failed(breaker: Breaker[FakeLLM]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(breaker.chat(ask(), soon()))
    return caught.value


async def opened() -> tuple[FakeLLM, Breaker[FakeLLM], Clock, list[str]]:
    fake = FakeLLM()
    breaker, clock, states = guarded(fake)
    fake.failing(Unavailable("1"), Unavailable("2"))
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED
    await failed(breaker)
    assert state_of(breaker) is BreakerState.OPEN
    return fake, breaker, clock, states


async def test_while_open_nothing_gets_through_and_the_wait_is_told() -> None:
    fake, breaker, clock, _ = await opened()
    clock.now += 4.0
    error = await failed(breaker)
    assert type(error) is Unavailable
    assert error.retry_after == pytest.approx(6.0)
    assert error.backend == "fake"
    assert fake.calls == 2


async def test_a_probe_that_works_closes_it() -> None:
    fake, breaker, clock, states = await opened()
    clock.now += 10.0
    assert_whole(await collect(breaker.chat(ask(), soon())))
    assert state_of(breaker) is BreakerState.CLOSED
    assert states == ["fake open", "fake half_open", "fake closed"]
    assert [request.max_tokens for request in fake.requests] == [1, 64]


async def test_a_probe_that_fails_opens_it_again_for_the_whole_time() -> None:
    fake, breaker, clock, _ = await opened()
    clock.now += 10.0
    fake.failing(Unavailable("still"))
    assert str(await failed(breaker)) == "still"
    clock.now += 9.0
    assert (await failed(breaker)).retry_after == pytest.approx(1.0)
    assert fake.calls == 3


async def test_only_one_probes_while_the_others_are_turned_away() -> None:
    fake, breaker, clock, _ = await opened()
    clock.now += 10.0
    fake.pause = 0.05
    first = asyncio.create_task(collect(breaker.chat(ask(), soon())))
    while state_of(breaker) is not BreakerState.HALF_OPEN:
        await asyncio.sleep(0)
    assert type(await failed(breaker)) is Unavailable
    assert_whole(await first)
    assert fake.calls == 4


async def test_a_probe_that_was_cancelled_leaves_the_next_one_to_probe() -> None:
    fake, breaker, clock, _ = await opened()
    clock.now += 10.0
    fake.pause = 60.0
    task = asyncio.create_task(collect(breaker.chat(ask(), soon())))
    while state_of(breaker) is not BreakerState.HALF_OPEN:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert state_of(breaker) is BreakerState.OPEN
    fake.pause = 0.0
    assert_whole(await collect(breaker.chat(ask(), soon())))


async def test_a_success_in_between_starts_the_count_anew() -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake)
    fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(breaker)
    await collect(breaker.chat(ask(), soon()))
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_streams_that_break_off_count() -> None:
    fake = FakeLLM(break_after=2, break_with=StreamBroken("cut"))
    breaker, _, _ = guarded(fake)
    await failed(breaker)
    await failed(breaker)
    assert state_of(breaker) is BreakerState.OPEN


async def test_an_answer_left_after_its_end_counts_as_whole() -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake)
    fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(breaker)
    stream = breaker.chat(ask(), soon())
    for _ in range(100):
        if type(await anext(stream)).__name__ == "Done":
            break
    await stream.aclose()
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_rejections_do_not_count() -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake)
    fake.failing(*[ModelNotFound("no")] * 5)
    for _ in range(5):
        await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_embeddings_and_rerank_too() -> None:
    embeddings, rerank = FakeEmbeddings(), FakeRerank()
    for fake, breaker, call in (
        (
            embeddings,
            a := Breaker(embeddings, probe_embeddings, failures=1, reset=0.0),
            lambda: a.embed(["a"], EmbedKind.QUERY, soon()),
        ),
        (
            rerank,
            b := Breaker(rerank, probe_rerank, failures=1, reset=0.0),
            lambda: b.rerank("a", ["a"], 1, soon()),
        ),
    ):
        fake.failing(Unavailable("1"))
        with pytest.raises(Unavailable):
            await call()
        assert state_of(breaker) is BreakerState.OPEN
        await call()
        assert state_of(breaker) is BreakerState.CLOSED
        assert fake.calls == 3
