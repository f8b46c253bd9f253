"""`get_provider`: which backend serves which role, what it says about itself, and that it lets go of everything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from engines import Fault, OllamaEngine, OpenAIEngine
from engines.contract import ask, assert_whole, collect, soon
from engines.server import Engine
from llm_providers import LLMProvider, Providers, ProviderSettings, get_provider
from llm_providers.errors import AllBackendsFailed, Overloaded, Unavailable
from llm_providers.routing import InvalidPolicy, Observer
from llm_providers.settings import (
    OllamaSettings,
    ResilienceSettings,
    SelectionSettings,
    SettingsError,
    TimeSettings,
    VLLMSettings,
)
from llm_providers.types import EmbedKind, Role, Started


@dataclass
class Notes(Observer):
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    fallbacks: list[tuple[str, str, str, str]] = field(default_factory=list)
    breakers: list[tuple[str, str, str]] = field(default_factory=list)

    def on_request(self, role: Role, backend: str, outcome: str, seconds: float, first: float | None) -> None:
        self.requests.append((role, backend, outcome))

    def on_fallback(self, role: Role, from_backend: str, to_backend: str, reason: str) -> None:
        self.fallbacks.append((role, from_backend, to_backend, reason))

    def on_breaker(self, role: Role, backend: str, state: str) -> None:
        self.breakers.append((role, backend, state))


async def backend_of(provider: LLMProvider | None) -> tuple[str, str]:
    assert provider is not None
    events = await collect(provider.chat(ask(), soon()))
    assert_whole(events)
    assert isinstance(events[0], Started)
    return events[0].backend, events[0].model


async def test_vllm_means_vision_on_ollama(providers: Providers) -> None:
    assert await backend_of(providers.text) == ("vllm", "llama3.2")
    assert await backend_of(providers.vision) == ("ollama", "llava")
    assert (await providers.embeddings.embed(["a"], EmbedKind.QUERY, soon())).shape == (1, 64)
    assert providers.rerank is not None
    status = providers.status()
    assert {role: s.active.backend for role, s in status.items()} == {
        "text": "vllm",
        "embeddings": "vllm",
        "vision": "ollama",
        "rerank": "vllm",
    }
    assert [fallback.backend for fallback in status[Role.TEXT].fallbacks] == ["ollama"]
    assert status[Role.EMBEDDINGS].fallbacks == ()


async def test_ollama_means_all_on_ollama(ollama_engine: OllamaEngine) -> None:
    settings = ProviderSettings(
        selection=SelectionSettings(llm_provider="ollama"), ollama=OllamaSettings(url=ollama_engine.url)
    )
    async with get_provider(settings) as providers:
        assert await backend_of(providers.text) == ("ollama", "llama3.2")
        assert await backend_of(providers.vision) == ("ollama", "llava")
        await providers.embeddings.embed(["a"], EmbedKind.QUERY, soon())
        assert ollama_engine.requests("/api/embed")[-1].body["model"] == "nomic-embed-text"
        assert providers.rerank is None


async def test_vision_can_be_left_out(settings: ProviderSettings) -> None:
    selection = SelectionSettings(llm_provider="vllm", use_vision_analysis=False)
    async with get_provider(settings.model_copy(update={"selection": selection})) as providers:
        assert providers.vision is None
        assert Role.VISION not in providers.status()


async def test_the_environment_is_read_when_nothing_is_given(
    ollama_engine: OllamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_PROVIDER", "ollama")
    monkeypatch.setenv("OLLAMA_URL", ollama_engine.url)
    async with get_provider() as providers:
        assert await backend_of(providers.text) == ("ollama", "llama3.2")
    monkeypatch.setenv("LLM_PROVIDER", "gpt")
    with pytest.raises(SettingsError, match="LLM_PROVIDER"):
        get_provider()


async def test_text_falls_back_and_the_observer_hears_of_it(
    settings: ProviderSettings, openai_engine: OpenAIEngine
) -> None:
    notes = Notes()
    openai_engine.always(Fault.busy(), path="/chat/completions")
    async with get_provider(settings, notes) as providers:
        assert (await backend_of(providers.text))[0] == "ollama"
    assert notes.fallbacks == [("text", "vllm", "ollama", "Overloaded")]
    assert notes.requests == [("text", "vllm", "overloaded"), ("text", "ollama", "ok")]


async def test_embeddings_never_fall_back(
    providers: Providers, openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    openai_engine.always(Fault.busy(), path="/embeddings")
    with pytest.raises(Overloaded):
        await providers.embeddings.embed(["a"], EmbedKind.DOCUMENT, soon())
    assert ollama_engine.requests("/api/embed") == []


async def test_without_fallback_the_error_is_the_callers(settings: ProviderSettings, openai_engine: Engine) -> None:
    vllm = settings.vllm.model_copy(update={"fallback": False})
    openai_engine.always(Fault.busy(), path="/chat/completions")
    async with get_provider(settings.model_copy(update={"vllm": vllm})) as providers:
        with pytest.raises(Overloaded):
            await collect(providers.text.chat(ask(), soon()))


async def test_a_breaker_opens_and_is_closed_by_a_token(
    openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    notes = Notes()
    settings = ProviderSettings(
        selection=SelectionSettings(llm_provider="vllm"),
        vllm=VLLMSettings(url=openai_engine.api, model="llama3.2"),
        ollama=OllamaSettings(url=ollama_engine.url),
        resilience=ResilienceSettings(retry_attempts=1, breaker_failures=2, breaker_reset=0.05),
    )
    async with get_provider(settings, notes) as providers:
        openai_engine.always(Fault.busy(), path="/chat/completions")
        for _ in range(2):
            with pytest.raises(Unavailable):
                await collect(providers.text.chat(ask(), soon()))
        assert providers.status()[Role.TEXT].active.breaker == "open"
        assert providers.status()[Role.TEXT].active.last_error == "engine is currently busy"
        openai_engine.heal()
        while providers.status()[Role.TEXT].active.breaker != "closed":
            await asyncio.sleep(0.01)
    assert notes.breakers == [("text", "vllm", state) for state in ("open", "half_open", "closed")]
    probe = openai_engine.requests("/chat/completions")[-1]
    assert probe.body["max_tokens"] == 1


async def test_all_down_says_so_for_every_backend(
    providers: Providers, openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    openai_engine.stop()
    ollama_engine.stop()
    with pytest.raises(AllBackendsFailed, match=r"vllm: .*; ollama: "):
        await collect(providers.text.chat(ask(), soon()))


async def test_the_whole_request_has_one_budget(settings: ProviderSettings) -> None:
    times = TimeSettings(request_timeout=7.0)
    async with get_provider(settings.model_copy(update={"times": times})) as providers:
        assert 6.5 < providers.deadline().remaining <= 7.0


async def test_a_mistake_is_refused_in_roles_that_are_served_elsewhere(settings: ProviderSettings) -> None:
    async with get_provider(settings, roles={Role.VISION}) as providers:
        with pytest.raises(InvalidPolicy, match="'gpt' is not a backend"):
            await providers.change(1, lambda policy: policy.with_role(Role.TEXT, stable="gpt"), "ada", "try")
        changed = await providers.change(
            1, lambda policy: policy.with_role(Role.TEXT, stable="ollama", fallbacks=()), "ada", "try"
        )
        assert changed.roles[Role.TEXT].stable == "ollama"


async def test_closing_twice_is_closing_once(providers: Providers) -> None:
    await providers.readiness.start()
    await collect(providers.text.chat(ask(), soon()))
    await providers.aclose()
    await providers.aclose()


async def test_no_document_text_is_in_errors(
    providers: Providers, openai_engine: OpenAIEngine, ollama_engine: OllamaEngine
) -> None:
    openai_engine.always(Fault.malformed(after=1), path="/chat/completions")
    ollama_engine.always(Fault.malformed(after=1), path="/api/chat")
    with pytest.raises(AllBackendsFailed) as caught:
        await collect(providers.text.chat(ask("a very private sentence"), soon()))
    assert "private" not in str(caught.value)
