"""The contract, over every backend, every fake and every wrapper."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import Fault, OpenAIEngine
from engines.contract import ChatContract, EmbeddingContract, RerankContract
from llm_providers import EmbeddedProvider, OllamaProvider, OpenAIProvider, Providers, VLLMProvider
from llm_providers.base import Backend, EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.routing import Observer
from llm_providers.routing.breaker import CircuitBreaker
from llm_providers.routing.fallback import FallbackChat, FallbackRerank
from llm_providers.routing.long_texts import LongTexts
from llm_providers.routing.monitor import Monitor, MonitoredChat, MonitoredEmbeddings, MonitoredRerank
from llm_providers.routing.retry import Backoff, RetriedChat, RetriedEmbeddings, RetriedRerank
from llm_providers.routing.switch import SwitchedChat, SwitchedEmbeddings, SwitchedRerank
from llm_providers.testing import FakeEmbeddings, FakeLLM, FakeRerank
from llm_providers.types import Role

QUICK = Backoff(base=0.001)


@pytest.fixture(scope="session")
def embedded(embedded_model_dir: Path) -> EmbeddedProvider:
    return EmbeddedProvider.open(model_dir=embedded_model_dir)


def breaker(name: str) -> CircuitBreaker:
    async def probe(_: Deadline) -> None:
        raise AssertionError("nothing fails here")

    return CircuitBreaker(name, probe)


def monitor(name: str, role: Role) -> Monitor:
    made = Monitor(name, role, Observer())
    made.breaker = breaker(name)
    return made


def wrapped_chat(how: str, provider: LLMProvider) -> LLMProvider:
    match how:
        case "retried":
            return RetriedChat(provider, QUICK)
        case "fallback":
            return FallbackChat([provider])
        case "monitored":
            return MonitoredChat(provider, monitor(provider.name, Role.TEXT))
        case "all":
            guarded = MonitoredChat(provider, monitor(provider.name, Role.TEXT))
            chain: LLMProvider = RetriedChat(FallbackChat([guarded]), QUICK)

            async def pinned(_: str) -> LLMProvider:
                return chain

            return SwitchedChat(chain, pinned)
    return provider


def wrapped_embeddings(how: str, provider: EmbeddingProvider) -> EmbeddingProvider:
    match how:
        case "retried":
            return RetriedEmbeddings(provider, QUICK)
        case "monitored":
            return MonitoredEmbeddings(provider, monitor(provider.name, Role.EMBEDDINGS))
        case "long":
            return LongTexts(provider)
        case "all":
            guarded = MonitoredEmbeddings(provider, monitor(provider.name, Role.EMBEDDINGS))
            return SwitchedEmbeddings(RetriedEmbeddings(LongTexts(guarded), QUICK))
    return provider


def wrapped_rerank(how: str, provider: RerankProvider) -> RerankProvider:
    match how:
        case "retried":
            return RetriedRerank(provider, QUICK)
        case "fallback":
            return FallbackRerank([provider])
        case "monitored":
            return MonitoredRerank(provider, monitor(provider.name, Role.RERANK))
        case "all":
            guarded = MonitoredRerank(provider, monitor(provider.name, Role.RERANK))
            return SwitchedRerank(RetriedRerank(FallbackRerank([guarded]), QUICK))
    return provider


class TestChat(ChatContract):
    @pytest.fixture(
        params=[
            "vllm",
            "llamacpp",
            "ollama",
            "embedded",
            "fake",
            *(f"{how} fake" for how in ("retried", "fallback", "monitored", "all")),
            "all vllm",
            "all llamacpp",
            "all ollama",
            "get_provider",
            "get_provider fallen back",
        ]
    )
    async def llm(
        self,
        request: pytest.FixtureRequest,
        vllm: VLLMProvider,
        llamacpp: OpenAIProvider,
        ollama: OllamaProvider,
        providers: Providers,
        openai_engine: OpenAIEngine,
    ) -> LLMProvider:
        how, _, what = f" {request.param}".rpartition(" ")
        if request.param == "get_provider fallen back":
            openai_engine.always(Fault.busy(), path="/chat/completions")
            openai_engine.always(Fault.busy(), path="/models")
        if "get_provider" in request.param:
            return providers.text
        known: dict[str, LLMProvider] = {"vllm": vllm, "llamacpp": llamacpp, "ollama": ollama, "fake": FakeLLM()}
        provider = known.get(what) or request.getfixturevalue(what)
        return wrapped_chat(how.strip(), provider)


class TestEmbeddings(EmbeddingContract):
    @pytest.fixture(
        params=[
            "vllm",
            "llamacpp",
            "ollama",
            "embedded",
            "fake",
            *(f"{how} fake" for how in ("retried", "monitored", "all")),
            "all vllm",
            "all llamacpp",
            "all ollama",
            "long fake",
            "long vllm",
            "long llamacpp",
            "long ollama",
            "get_provider",
        ]
    )
    async def embeddings(
        self,
        request: pytest.FixtureRequest,
        vllm_embeddings: VLLMProvider,
        llamacpp: OpenAIProvider,
        ollama_embeddings: OllamaProvider,
        providers: Providers,
    ) -> EmbeddingProvider:
        how, _, what = f" {request.param}".rpartition(" ")
        known: dict[str, EmbeddingProvider] = {
            "vllm": vllm_embeddings,
            "llamacpp": llamacpp,
            "ollama": ollama_embeddings,
            "fake": FakeEmbeddings(),
            "get_provider": providers.embeddings,
        }
        provider = known.get(what) or request.getfixturevalue(what)
        return wrapped_embeddings(how.strip(), provider)


class TestRerank(RerankContract):
    @pytest.fixture(
        params=[
            "vllm",
            "embedded",
            "fake",
            *(f"{how} fake" for how in ("retried", "fallback", "monitored", "all")),
            "all vllm",
        ]
    )
    async def rerank(self, request: pytest.FixtureRequest, vllm: VLLMProvider) -> RerankProvider:
        how, _, what = f" {request.param}".rpartition(" ")
        provider = {"vllm": vllm, "fake": FakeRerank()}.get(what) or request.getfixturevalue(what)
        return wrapped_rerank(how.strip(), provider)


async def test_the_protocols_are_what_is_implemented(vllm: VLLMProvider, ollama: OllamaProvider) -> None:
    for protocol in (Backend, LLMProvider, EmbeddingProvider, RerankProvider):
        assert isinstance(vllm, protocol)
    for protocol in (Backend, LLMProvider, EmbeddingProvider):
        assert isinstance(ollama, protocol)
    assert not isinstance(ollama, RerankProvider)


async def test_a_wrapper_satisfies_exactly_the_protocol_of_what_it_wraps() -> None:
    protocols = (LLMProvider, EmbeddingProvider, RerankProvider)
    for wrapper in (
        wrapped_chat("all", FakeLLM()),
        wrapped_embeddings("all", FakeEmbeddings()),
        wrapped_rerank("all", FakeRerank()),
    ):
        assert sum(isinstance(wrapper, protocol) for protocol in protocols) == 1
