"""Engines and the providers in front of them."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("engines.contract")

from collections.abc import AsyncIterator, Iterator  # noqa: E402

from engines import LlamaCppEngine, OllamaEngine, OpenAIEngine  # noqa: E402
from llm_providers import (  # noqa: E402
    OllamaProvider,
    OpenAIProvider,
    Providers,
    ProviderSettings,
    VLLMProvider,
    get_provider,
)
from llm_providers.deadline import Timeouts  # noqa: E402
from llm_providers.settings import OllamaSettings, SelectionSettings, VLLMSettings  # noqa: E402

TIMEOUTS = Timeouts(connect=2.0, first_token=5.0, idle=5.0)


@pytest.fixture
def openai_engine() -> Iterator[OpenAIEngine]:
    with OpenAIEngine() as engine:
        yield engine


@pytest.fixture
def ollama_engine() -> Iterator[OllamaEngine]:
    with OllamaEngine() as engine:
        yield engine


@pytest.fixture
async def vllm(openai_engine: OpenAIEngine) -> AsyncIterator[VLLMProvider]:
    provider = VLLMProvider(openai_engine.api, "llama3.2", timeouts=TIMEOUTS)
    yield provider
    await provider.aclose()


@pytest.fixture
async def vllm_embeddings(openai_engine: OpenAIEngine) -> AsyncIterator[VLLMProvider]:
    provider = VLLMProvider(openai_engine.api, "nomic-embed-text", timeouts=TIMEOUTS)
    yield provider
    await provider.aclose()


@pytest.fixture
def llamacpp_engine() -> Iterator[LlamaCppEngine]:
    with LlamaCppEngine() as engine:
        yield engine


@pytest.fixture
async def llamacpp(llamacpp_engine: LlamaCppEngine) -> AsyncIterator[OpenAIProvider]:
    provider = OpenAIProvider(llamacpp_engine.api, "llama3.2", timeouts=TIMEOUTS, name="llamacpp")
    yield provider
    await provider.aclose()


@pytest.fixture
async def ollama(ollama_engine: OllamaEngine) -> AsyncIterator[OllamaProvider]:
    provider = OllamaProvider(ollama_engine.url, "llama3.2", timeouts=TIMEOUTS)
    yield provider
    await provider.aclose()


@pytest.fixture
async def ollama_embeddings(ollama_engine: OllamaEngine) -> AsyncIterator[OllamaProvider]:
    provider = OllamaProvider(ollama_engine.url, "nomic-embed-text", timeouts=TIMEOUTS)
    yield provider
    await provider.aclose()


@pytest.fixture
def settings(openai_engine: OpenAIEngine, ollama_engine: OllamaEngine) -> ProviderSettings:
    return ProviderSettings(
        selection=SelectionSettings(llm_provider="vllm"),
        vllm=VLLMSettings(
            url=openai_engine.api,
            model="llama3.2",
            embed_url=openai_engine.api,
            embed_model="nomic-embed-text",
            rerank_url=openai_engine.api,
            rerank_model="llama3.2",
            fallback=True,
        ),
        ollama=OllamaSettings(url=ollama_engine.url),
    )


@pytest.fixture
async def providers(settings: ProviderSettings) -> AsyncIterator[Providers]:
    """vLLM for everything it can, Ollama for vision and as the fallback for text."""
    async with get_provider(settings) as providers:
        yield providers
