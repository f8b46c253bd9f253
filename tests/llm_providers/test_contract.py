"""The contract, over every backend, every fake and every wrapper."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from engines import Fault, OpenAIEngine
from engines.contract import ChatContract, EmbeddingContract, RerankContract
from llm_providers import EmbeddedProvider, OllamaProvider, Providers, VLLMProvider
from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.routing import Backoff, Breaker, Fallback, LongTexts, Observed, Retry, Silent
from llm_providers.routing.probes import probe_chat, probe_embeddings, probe_rerank
from llm_providers.testing import FakeEmbeddings, FakeLLM, FakeRerank
from llm_providers.types import Role

QUICK = Backoff(base=0.001)


@pytest.fixture(scope="session")
def embedded(embedded_model_dir: Path) -> EmbeddedProvider:
    return EmbeddedProvider.open(embedded_model_dir)


def wrapped(how: str, provider: Any, role: Role, probe: Any) -> Any:
    match how:
        case "retry":
            return Retry(provider, QUICK)
        case "fallback":
            return Fallback([provider])
        case "breaker":
            return Breaker(provider, probe)
        case "observed":
            return Observed(provider, role, Silent())
        case "long":
            return LongTexts(provider)
        case "all":
            return Fallback([Breaker(Retry(Observed(provider, role, Silent()), QUICK), probe)])
    return provider


WRAPPERS = ("retry", "fallback", "breaker", "observed", "all")


class TestChat(ChatContract):
    @pytest.fixture(
        params=[
            "vllm",
            "ollama",
            "embedded",
            "fake",
            *(f"{how} fake" for how in WRAPPERS),
            "all vllm",
            "all ollama",
            "get_provider",
            "get_provider fallen back",
        ]
    )
    async def llm(
        self,
        request: pytest.FixtureRequest,
        vllm: VLLMProvider,
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
        provider = {"vllm": vllm, "ollama": ollama, "fake": FakeLLM()}.get(what) or request.getfixturevalue(what)
        return cast(LLMProvider, wrapped(how.strip(), provider, Role.TEXT, probe_chat))


class TestEmbeddings(EmbeddingContract):
    @pytest.fixture(
        params=[
            "vllm",
            "ollama",
            "embedded",
            "fake",
            *(f"{how} fake" for how in WRAPPERS),
            "all vllm",
            "all ollama",
            "long fake",
            "long vllm",
            "long ollama",
            "get_provider",
        ]
    )
    async def embeddings(
        self, request: pytest.FixtureRequest, vllm: VLLMProvider, ollama: OllamaProvider, providers: Providers
    ) -> EmbeddingProvider:
        how, _, what = f" {request.param}".rpartition(" ")
        known = {"vllm": vllm, "ollama": ollama, "fake": FakeEmbeddings(), "get_provider": providers.embeddings}
        provider = known.get(what) or request.getfixturevalue(what)
        return cast(EmbeddingProvider, wrapped(how.strip(), provider, Role.EMBEDDINGS, probe_embeddings))


class TestRerank(RerankContract):
    @pytest.fixture(params=["vllm", "embedded", "fake", *(f"{how} fake" for how in WRAPPERS), "all vllm"])
    async def rerank(self, request: pytest.FixtureRequest, vllm: VLLMProvider) -> RerankProvider:
        how, _, what = f" {request.param}".rpartition(" ")
        provider = {"vllm": vllm, "fake": FakeRerank()}.get(what) or request.getfixturevalue(what)
        return cast(RerankProvider, wrapped(how.strip(), provider, Role.RERANK, probe_rerank))


async def test_the_protocols_are_what_is_implemented(vllm: VLLMProvider, ollama: OllamaProvider) -> None:
    assert isinstance(vllm, LLMProvider)
    assert isinstance(vllm, EmbeddingProvider)
    assert isinstance(vllm, RerankProvider)
    assert isinstance(ollama, LLMProvider)
    assert isinstance(ollama, EmbeddingProvider)
    assert not isinstance(ollama, RerankProvider)
