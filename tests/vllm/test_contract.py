"""The contract that every provider is held to, against real vLLM servers."""

from __future__ import annotations

import pytest

from engines.contract import ChatContract, EmbeddingContract, RerankContract, soon
from llm_providers import LLMProvider, ProviderSettings, VLLMProvider, get_provider
from llm_providers.base import EmbeddingProvider, RerankProvider
from llm_providers.readiness import ReadinessState
from llm_providers.types import Role

pytestmark = pytest.mark.vllm


class TestChat(ChatContract):
    @pytest.fixture
    async def llm(self, vllm: VLLMProvider) -> LLMProvider:
        return vllm


class TestEmbeddings(EmbeddingContract):
    @pytest.fixture
    async def embeddings(self, minilm: VLLMProvider) -> EmbeddingProvider:
        return minilm


class TestRerank(RerankContract):
    @pytest.fixture
    async def rerank(self, minilm: VLLMProvider) -> RerankProvider:
        return minilm


async def test_every_role_becomes_ready(vllm_settings: ProviderSettings) -> None:
    async with get_provider(vllm_settings) as providers:
        for role in (Role.TEXT, Role.EMBEDDINGS, Role.RERANK):
            assert (await providers.readiness.check(role)).state is ReadinessState.READY
        assert (await providers.text.info(soon())).context_tokens == 4096
        assert isinstance(providers.invoke("hello", max_tokens=5), str)
