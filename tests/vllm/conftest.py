"""Real vLLM servers on CPU, started once for the whole run, one after the other."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("engines.contract")

from collections.abc import AsyncIterator, Iterator  # noqa: E402

from engines.real_vllm import Installation, VLLMServer, embedding_server, install, smollm_server, text_server  # noqa: E402
from llm_providers import ProviderSettings, VLLMProvider  # noqa: E402
from llm_providers.settings import SelectionSettings, VLLMSettings  # noqa: E402


@pytest.fixture(scope="session")
def vllm_installation() -> Installation:
    return install()


@pytest.fixture(scope="session")
def vllm_text(vllm_installation: Installation) -> Iterator[VLLMServer]:
    """Chat by a random-weight Llama: what it says means nothing."""
    with text_server(vllm_installation) as server:
        yield server


@pytest.fixture(scope="session")
def vllm_embeddings(vllm_installation: Installation, vllm_text: VLLMServer) -> Iterator[VLLMServer]:
    """Embeddings by the real MiniLM; after the text server, since two that start at once disturb each other."""
    with embedding_server(vllm_installation) as server:
        yield server


@pytest.fixture(scope="session")
def vllm_smollm(vllm_installation: Installation, vllm_embeddings: VLLMServer) -> Iterator[VLLMServer]:
    """Chat by SmolLM2-135M-Instruct, whose answers have a meaning and are often wrong."""
    with smollm_server(vllm_installation) as server:
        yield server


@pytest.fixture
async def vllm(vllm_text: VLLMServer) -> AsyncIterator[VLLMProvider]:
    provider = VLLMProvider(vllm_text.url, vllm_text.served_as)
    yield provider
    await provider.aclose()


@pytest.fixture
async def minilm(vllm_embeddings: VLLMServer) -> AsyncIterator[VLLMProvider]:
    """Embeddings and rerank."""
    provider = VLLMProvider(vllm_embeddings.url, vllm_embeddings.served_as)
    yield provider
    await provider.aclose()


@pytest.fixture
def vllm_settings(vllm_text: VLLMServer, vllm_embeddings: VLLMServer) -> ProviderSettings:
    """Everything on the real servers, and no vision."""
    return ProviderSettings(
        selection=SelectionSettings(llm_provider="vllm", use_vision_analysis=False),
        vllm=VLLMSettings(
            url=vllm_text.url,
            model=vllm_text.served_as,
            embed_url=vllm_embeddings.url,
            embed_model=vllm_embeddings.served_as,
            rerank_url=vllm_embeddings.url,
            rerank_model=vllm_embeddings.served_as,
        ),
    )
