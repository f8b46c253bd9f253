from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engines.contract import ask, assert_whole, collect, soon
from llm_providers.errors import ModelNotFound, ProviderError, StreamBroken, Timeout, Unavailable
from llm_providers.routing import Observer
from llm_providers.routing.breaker import BreakerState, CircuitBreaker, probe_chat
from llm_providers.routing.monitor import Monitor, MonitoredChat
from llm_providers.testing import FakeLLM
from llm_providers.types import Done, Role


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


class Guarded:
    """A fake behind a monitor with a breaker that opens at the second failure."""

    def __init__(self, fake: FakeLLM) -> None:
        self.fake, self.timer, self.states = fake, Timer(), list[str]()
        monitor = Monitor("fake", Role.TEXT, Observer())
        direct = MonitoredChat(fake, monitor, admitted=True)
        self.breaker = monitor.breaker = CircuitBreaker(
            "fake",
            lambda deadline: probe_chat(direct, deadline),
            failures=2,
            reset=10.0,
            on_state=lambda name, state: self.states.append(f"{name} {state}"),
            sleep=self.timer,
        )
        self.chat = MonitoredChat(fake, monitor).chat

    @property
    def state(self) -> BreakerState:
        return self.breaker.state


@pytest.fixture
async def guarded() -> AsyncIterator[Guarded]:
    made = Guarded(FakeLLM())
    yield made
    await made.breaker.stop()


@pytest.fixture
async def opened(guarded: Guarded) -> Guarded:
    guarded.fake.failing(Unavailable("1"), Unavailable("2"))
    await failed(guarded)
    assert guarded.state is BreakerState.CLOSED
    await failed(guarded)
    assert guarded.state is BreakerState.OPEN
    await asyncio.sleep(0)
    return guarded


async def failed(guarded: Guarded) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await collect(guarded.chat(ask(), soon()))
    return caught.value


async def test_while_open_nothing_gets_through_and_the_error_says_how_long(opened: Guarded) -> None:
    error = await failed(opened)
    assert type(error) is Unavailable
    assert error.retry_after == pytest.approx(10.0, abs=1.0)
    assert error.backend == "fake"
    assert opened.fake.calls == 2
    assert opened.timer.waits == [10.0]


async def test_a_probe_that_works_closes_it_and_no_caller_waited(opened: Guarded) -> None:
    await opened.timer.ring()
    assert opened.state is BreakerState.CLOSED
    assert opened.states == ["fake open", "fake half_open", "fake closed"]
    assert_whole(await collect(opened.chat(ask(), soon())))
    assert [request.max_tokens for request in opened.fake.requests] == [1, 64]


@pytest.mark.parametrize("fault", [Unavailable("still"), RuntimeError("a fault of the probe's own")])
async def test_a_probe_that_fails_leaves_it_open_for_the_whole_time(opened: Guarded, fault: Any) -> None:
    opened.fake.failing(fault)
    await opened.timer.ring()
    assert opened.state is BreakerState.OPEN
    assert opened.timer.waits == [10.0, 10.0]
    assert opened.fake.calls == 3
    await opened.timer.ring()
    assert opened.state is BreakerState.CLOSED


async def test_a_probe_that_gets_no_token_leaves_it_open(opened: Guarded) -> None:
    opened.fake.answer = lambda _: ""
    await opened.timer.ring()
    assert opened.state is BreakerState.OPEN


async def test_callers_are_turned_away_during_the_probe(opened: Guarded) -> None:
    opened.fake.pause = 60.0
    await opened.timer.ring()
    assert opened.state is BreakerState.HALF_OPEN
    assert type(await failed(opened)) is Unavailable
    assert opened.fake.calls == 3


async def test_one_caller_who_waited_in_vain_opens_it(guarded: Guarded) -> None:
    guarded.fake.failing(Timeout("the first token took longer than 120 s"))
    await failed(guarded)
    assert guarded.state is BreakerState.OPEN


async def test_a_stopped_breaker_probes_no_longer(opened: Guarded) -> None:
    await opened.breaker.stop()
    await opened.timer.ring()
    assert opened.fake.calls == 2


async def test_a_success_in_between_starts_the_count_anew(guarded: Guarded) -> None:
    guarded.fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(guarded)
    await collect(guarded.chat(ask(), soon()))
    await failed(guarded)
    assert guarded.state is BreakerState.CLOSED


async def test_streams_that_break_off_count(guarded: Guarded) -> None:
    guarded.fake.break_after, guarded.fake.break_with = 2, StreamBroken("cut")
    await failed(guarded)
    await failed(guarded)
    assert guarded.state is BreakerState.OPEN


async def test_an_answer_left_after_its_end_counts_as_whole(guarded: Guarded) -> None:
    guarded.fake.failing(Unavailable("1"), None, Unavailable("2"))
    await failed(guarded)
    stream = guarded.chat(ask(), soon())
    while not isinstance(await anext(stream), Done):
        pass
    await stream.aclose()
    await failed(guarded)
    assert guarded.state is BreakerState.CLOSED


async def test_rejections_do_not_count(guarded: Guarded) -> None:
    guarded.fake.failing(*[ModelNotFound("no")] * 5)
    for _ in range(5):
        await failed(guarded)
    assert guarded.state is BreakerState.CLOSED
