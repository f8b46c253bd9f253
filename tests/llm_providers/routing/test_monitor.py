from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import time

import pytest

from engines.contract import ask, collect, soon
from llm_providers.deadline import Deadline
from llm_providers.errors import ModelLoading, StreamBroken, Unavailable
from llm_providers.routing import Observer
from llm_providers.routing.breaker import BreakerState, CircuitBreaker
from llm_providers.routing.monitor import Monitor, MonitoredChat, MonitoredEmbeddings, MonitoredRerank
from llm_providers.testing import FakeEmbeddings, FakeLLM, FakeRerank
from llm_providers.types import Done, EmbedKind, Role


@dataclass
class RecordingObserver(Observer):
    requests: list[tuple[Role, str, str, float, float | None]] = field(default_factory=list)

    def on_request(self, role: Role, backend: str, outcome: str, seconds: float, first: float | None) -> None:
        self.requests.append((role, backend, outcome, seconds, first))

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        raise AssertionError

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        raise AssertionError


def monitored(role: Role = Role.TEXT) -> tuple[RecordingObserver, Monitor]:
    observer = RecordingObserver()
    return observer, Monitor("fake", role, observer)


async def test_a_whole_answer_is_measured_from_its_first_token_to_its_end() -> None:
    observer, monitor = monitored()
    observed = MonitoredChat(FakeLLM(pause=0.02), monitor)
    before = time()
    await collect(observed.chat(ask("one two three"), soon()))
    [(role, backend, outcome, seconds, first)] = observer.requests
    assert (role, backend, outcome) == (Role.TEXT, "fake", "ok")
    assert first is not None
    assert 0.015 < first < seconds
    assert monitor.last_success is not None
    assert monitor.last_success >= before


async def test_leaving_after_the_end_is_no_cancellation() -> None:
    observer, monitor = monitored()
    stream = MonitoredChat(FakeLLM(), monitor).chat(ask(), soon())
    while not isinstance(await anext(stream), Done):
        pass
    await stream.aclose()
    assert [entry[2] for entry in observer.requests] == ["ok"]


async def test_leaving_before_the_end_is() -> None:
    observer, monitor = monitored()
    observed = MonitoredChat(FakeLLM(pause=0.01), monitor)
    stream = observed.chat(ask(), soon())
    await anext(stream)
    await stream.aclose()
    task = asyncio.create_task(collect(observed.chat(ask(), soon())))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [entry[2] for entry in observer.requests] == ["cancelled", "cancelled"]
    assert monitor.last_success is None


async def test_failures_are_named_by_their_type() -> None:
    observer, monitor = monitored()
    llm = MonitoredChat(FakeLLM(break_with=StreamBroken("cut")), monitor)
    with pytest.raises(StreamBroken):
        await collect(llm.chat(ask(), soon()))
    embeddings = FakeEmbeddings()
    embeddings.failing(ModelLoading("soon"))
    observed = MonitoredEmbeddings(embeddings, monitor)
    with pytest.raises(ModelLoading):
        await observed.embed(["a"], EmbedKind.QUERY, soon())
    assert isinstance(monitor.last_error, ModelLoading)
    await observed.embed(["a"], EmbedKind.QUERY, soon())
    assert monitor.last_error is None
    assert [entry[2] for entry in observer.requests] == ["stream_broken", "model_loading", "ok"]


async def test_embeddings_and_rerank_go_through_the_breaker_too() -> None:
    for fake, wrap, call in (
        (FakeEmbeddings(), MonitoredEmbeddings, lambda p: p.embed(["a"], EmbedKind.QUERY, soon())),
        (FakeRerank(), MonitoredRerank, lambda p: p.rerank("a", ["a"], 1, soon())),
    ):
        observer, monitor = monitored()

        async def probe(_: Deadline) -> None:
            raise Unavailable("still")

        monitor.breaker = CircuitBreaker("fake", probe, failures=1, on_state=lambda _name, _state: None)
        fake.failing(Unavailable("1"))
        guarded, direct = wrap(fake, monitor), wrap(fake, monitor, admitted=True)
        with pytest.raises(Unavailable):
            await call(guarded)
        assert monitor.breaker.state is BreakerState.OPEN
        with pytest.raises(Unavailable, match="breaker is open"):
            await call(guarded)
        assert fake.calls == 1
        await call(direct)
        assert fake.calls == 2
        assert [entry[2] for entry in observer.requests] == ["unavailable", "ok"]
        await monitor.breaker.stop()


async def test_a_backend_is_drained_when_its_last_call_has_ended() -> None:
    _, monitor = monitored()
    await monitor.drained()
    stream = MonitoredChat(FakeLLM(), monitor).chat(ask(), soon())
    await anext(stream)
    waiting = asyncio.create_task(monitor.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    await stream.aclose()
    await waiting
