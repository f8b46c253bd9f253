"""Ready means a token lately: by traffic, or by a probe where there is none."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from engines import Fault, OllamaEngine, OpenAIEngine
from engines.contract import ask, collect, soon
from llm_providers import Providers, ProviderSettings, get_provider
from llm_providers.errors import ModelLoading, Timeout, Unavailable
from llm_providers.readiness import Readiness, ReadinessState, RoleWatch
from llm_providers.routing import Observer
from llm_providers.routing.breaker import probe_chat
from llm_providers.routing.monitor import Monitor, MonitoredChat
from llm_providers.settings import ResilienceSettings
from llm_providers.testing import FakeLLM
from llm_providers.types import Role


def watched(fake: FakeLLM, *, interval: float = 30.0, loading_seconds: float = 600.0) -> Readiness:
    monitor = Monitor("fake", Role.TEXT, Observer())
    monitored = MonitoredChat(fake, monitor)
    role = RoleWatch(lambda: monitor.last_success, lambda deadline: probe_chat(monitored, deadline))
    return Readiness({Role.TEXT: role}, interval=interval, probe_seconds=1.0, loading_seconds=loading_seconds)


async def until(readiness: Readiness, state: ReadinessState, seconds: float = 5.0) -> None:
    """Wait until the state is reached; the test fails if it is not."""
    limit = monotonic() + seconds
    while readiness.state is not state:
        assert monotonic() < limit, readiness.roles()
        await asyncio.sleep(0.005)


async def test_nothing_is_ready_before_a_token() -> None:
    readiness = watched(FakeLLM())
    found = readiness.roles()[Role.TEXT]
    assert (found.state, readiness.state) == (ReadinessState.LOADING, ReadinessState.LOADING)
    assert found.retry_after is not None


async def test_a_probe_makes_it_ready() -> None:
    fake = FakeLLM()
    readiness = watched(fake)
    await readiness.start()
    await until(readiness, ReadinessState.READY)
    assert [request.max_tokens for request in fake.requests] == [1]
    assert readiness.roles()[Role.TEXT].retry_after is None
    await readiness.aclose()
    await readiness.aclose()


async def test_traffic_counts_and_spares_the_probe() -> None:
    fake = FakeLLM()
    monitor = Monitor("fake", Role.TEXT, Observer())
    monitored = MonitoredChat(fake, monitor)
    await collect(monitored.chat(ask(), soon()))
    role = RoleWatch(lambda: monitor.last_success, lambda deadline: probe_chat(monitored, deadline))
    readiness = Readiness({Role.TEXT: role}, interval=30.0)
    await readiness.start()
    await asyncio.sleep(0.05)
    assert readiness.state is ReadinessState.READY
    assert fake.calls == 1
    await readiness.aclose()


async def test_without_traffic_it_is_probed_again_and_again() -> None:
    fake = FakeLLM()
    readiness = watched(fake, interval=0.02)
    await readiness.start()
    while fake.calls < 4:
        await asyncio.sleep(0.005)
    assert readiness.state is ReadinessState.READY
    await readiness.aclose()


@pytest.mark.parametrize("error", [ModelLoading("loading"), Timeout("slow"), Unavailable("connection refused")])
async def test_a_model_that_has_not_come_up_yet_is_loading(error: Unavailable) -> None:
    fake = FakeLLM()
    fake.failing(error)
    found = await watched(fake).check(Role.TEXT)
    assert found.state is ReadinessState.LOADING
    assert found.detail == str(error)
    assert found.elapsed >= 0
    assert found.retry_after is not None


async def test_what_worked_once_and_is_gone_is_unavailable() -> None:
    fake = FakeLLM()
    readiness = watched(fake)
    assert (await readiness.check(Role.TEXT)).state is ReadinessState.READY
    fake.failing(Unavailable("gone"))
    assert (await readiness.check(Role.TEXT)).state is ReadinessState.UNAVAILABLE
    assert (await readiness.check(Role.TEXT)).state is ReadinessState.READY


async def test_loading_does_not_last_for_ever() -> None:
    fake = FakeLLM()
    fake.failing(Unavailable("connection refused"))
    assert (await watched(fake, loading_seconds=0.0).check(Role.TEXT)).state is ReadinessState.UNAVAILABLE


async def test_a_proof_grows_old() -> None:
    fake = FakeLLM()
    readiness = watched(fake, interval=0.02)
    await readiness.check(Role.TEXT)
    await until(readiness, ReadinessState.UNAVAILABLE)
    assert "nothing has been produced for" in readiness.roles()[Role.TEXT].detail


async def test_a_fault_of_ours_is_no_proof_and_no_end_of_watching() -> None:
    fake = FakeLLM(answer=lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    readiness = watched(fake, interval=0.02)
    await readiness.start()
    await until(readiness, ReadinessState.UNAVAILABLE)
    fake.answer = lambda _: "mended"
    await until(readiness, ReadinessState.READY)
    await readiness.aclose()


async def test_only_what_is_required_is_watched(providers: Providers) -> None:
    await providers.readiness.start({Role.TEXT, Role.EMBEDDINGS})
    await until(providers.readiness, ReadinessState.READY)
    assert set(providers.readiness.roles()) == {Role.TEXT, Role.EMBEDDINGS}


async def test_a_slow_load_is_seen_through_to_ready(
    settings: ProviderSettings, openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    openai_engine.always(Fault.loading(), path="/embeddings")
    quick = settings.model_copy(update={"resilience": ResilienceSettings(retry_attempts=1, probe_interval=0.05)})
    async with get_provider(quick) as providers:
        await providers.readiness.start({Role.TEXT, Role.EMBEDDINGS})
        await until(providers.readiness, ReadinessState.LOADING)
        while providers.readiness.roles()[Role.TEXT].state is not ReadinessState.READY:
            await asyncio.sleep(0.005)
        assert providers.readiness.state is not ReadinessState.READY
        openai_engine.heal()
        await until(providers.readiness, ReadinessState.READY)


async def test_a_role_is_ready_when_its_stand_in_is(settings: ProviderSettings, openai_engine: OpenAIEngine) -> None:
    openai_engine.always(Fault.busy(), path="/chat/completions")
    async with get_provider(settings) as providers:
        assert (await providers.readiness.check(Role.TEXT)).state is ReadinessState.READY
