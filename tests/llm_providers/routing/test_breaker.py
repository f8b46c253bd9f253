from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engines.contract import ask, assert_whole, collect, soon
from llm_providers.errors import ModelNotFound, ProviderError, StreamBroken, Timeout, Unavailable
from llm_providers.routing import Breaker, BreakerState
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.testing import FakeEmbeddings, FakeLLM, FakeRerank
from llm_providers.types import EmbedKind


class Timer:
    """Stands in for `asyncio.sleep`: the wait ends when the test says so."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._over = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self._over.acquire()

    async def ring(self) -> None:
        self._over.release()
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def made() -> AsyncIterator[list[Breaker[Any]]]:
    breakers: list[Breaker[Any]] = []
    yield breakers
    for breaker in breakers:
        await breaker.stop()


def guarded(fake: FakeLLM, made: list[Breaker[Any]]) -> tuple[Breaker[FakeLLM], Timer, list[str]]:
    timer, states = Timer(), list[str]()
    breaker = Breaker(
        fake,
        probe_chat,
        failures=2,
        reset=10.0,
        on_state=lambda name, state: states.append(f"{name} {state}"),
        sleep=timer,
    )
    made.append(breaker)
    return breaker, timer, states


def state_of(breaker: Breaker[Any]) -> BreakerState:
    return breaker.state


async def failed(breaker: Breaker[FakeLLM]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(breaker.chat(ask(), soon()))
    return caught.value


async def opened(made: list[Breaker[Any]]) -> tuple[FakeLLM, Breaker[FakeLLM], Timer, list[str]]:
    fake = FakeLLM()
    breaker, timer, states = guarded(fake, made)
    fake.failing(Unavailable("1"), Unavailable("2"))
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED
    await failed(breaker)
    assert state_of(breaker) is BreakerState.OPEN
    await asyncio.sleep(0)
    return fake, breaker, timer, states


async def test_while_open_nothing_gets_through_and_the_wait_is_told(made: list[Breaker[Any]]) -> None:
    fake, breaker, timer, _ = await opened(made)
    error = await failed(breaker)
    assert type(error) is Unavailable
    assert error.retry_after == pytest.approx(10.0, abs=1.0)
    assert error.backend == "fake"
    assert fake.calls == 2
    assert timer.waits == [10.0]


async def test_a_probe_that_works_closes_it_and_nobody_waited(made: list[Breaker[Any]]) -> None:
    fake, breaker, timer, states = await opened(made)
    await timer.ring()
    assert state_of(breaker) is BreakerState.CLOSED
    assert states == ["fake open", "fake half_open", "fake closed"]
    assert_whole(await collect(breaker.chat(ask(), soon())))
    assert [request.max_tokens for request in fake.requests] == [1, 64]


@pytest.mark.parametrize("fault", [Unavailable("still"), RuntimeError("a fault of the probe's own")])
async def test_a_probe_that_fails_leaves_it_open_for_the_whole_time(made: list[Breaker[Any]], fault: Any) -> None:
    fake, breaker, timer, _ = await opened(made)
    fake.failing(fault)
    await timer.ring()
    assert state_of(breaker) is BreakerState.OPEN
    assert timer.waits == [10.0, 10.0]
    assert fake.calls == 3
    await timer.ring()
    assert state_of(breaker) is BreakerState.CLOSED


async def test_callers_are_turned_away_during_the_probe(made: list[Breaker[Any]]) -> None:
    fake, breaker, timer, _ = await opened(made)
    fake.pause = 60.0
    await timer.ring()
    assert state_of(breaker) is BreakerState.HALF_OPEN
    assert type(await failed(breaker)) is Unavailable
    assert fake.calls == 3


async def test_a_caller_who_waited_in_vain_opens_it_alone(made: list[Breaker[Any]]) -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake, made)
    fake.failing(Timeout("the first token took longer than 120 s"))
    await failed(breaker)
    assert state_of(breaker) is BreakerState.OPEN


async def test_stopped_it_probes_no_more(made: list[Breaker[Any]]) -> None:
    fake, breaker, timer, _ = await opened(made)
    await breaker.stop()
    await timer.ring()
    assert fake.calls == 2


async def test_a_success_in_between_starts_the_count_anew(made: list[Breaker[Any]]) -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake, made)
    fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(breaker)
    await collect(breaker.chat(ask(), soon()))
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_streams_that_break_off_count(made: list[Breaker[Any]]) -> None:
    fake = FakeLLM(break_after=2, break_with=StreamBroken("cut"))
    breaker, _, _ = guarded(fake, made)
    await failed(breaker)
    await failed(breaker)
    assert state_of(breaker) is BreakerState.OPEN


async def test_an_answer_left_after_its_end_counts_as_whole(made: list[Breaker[Any]]) -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake, made)
    fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(breaker)
    stream = breaker.chat(ask(), soon())
    for _ in range(100):
        if type(await anext(stream)).__name__ == "Done":
            break
    await stream.aclose()
    await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_rejections_do_not_count(made: list[Breaker[Any]]) -> None:
    fake = FakeLLM()
    breaker, _, _ = guarded(fake, made)
    fake.failing(*[ModelNotFound("no")] * 5)
    for _ in range(5):
        await failed(breaker)
    assert state_of(breaker) is BreakerState.CLOSED


async def test_embeddings_and_rerank_too(made: list[Breaker[Any]]) -> None:
    embeddings, rerank, timer = FakeEmbeddings(), FakeRerank(), Timer()
    for fake, breaker, call in (
        (
            embeddings,
            a := Breaker(embeddings, probe_embeddings, failures=1, sleep=timer),
            lambda: a.embed(["a"], EmbedKind.QUERY, soon()),
        ),
        (
            rerank,
            b := Breaker(rerank, probe_rerank, failures=1, sleep=timer),
            lambda: b.rerank("a", ["a"], 1, soon()),
        ),
    ):
        made.append(breaker)
        fake.failing(Unavailable("1"))
        with pytest.raises(Unavailable):
            await call()
        assert state_of(breaker) is BreakerState.OPEN
        await timer.ring()
        assert state_of(breaker) is BreakerState.CLOSED
        await call()
        assert fake.calls == 3
