"""What wrappers have in common: the name of what they wrap, and its answers to what they leave as it is."""

from __future__ import annotations

from typing import Generic, TypeVar

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.types import EmbeddingModel, ModelInfo

P = TypeVar("P", bound=LLMProvider | EmbeddingProvider | RerankProvider)


class Wrapper(Generic[P]):
    """A provider around another of the same protocol."""

    def __init__(self, provider: P) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        return self._provider.name


class ChatWrapper(Wrapper[LLMProvider]):
    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self._provider.info(deadline)


class EmbeddingWrapper(Wrapper[EmbeddingProvider]):
    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return await self._provider.embedding_model(deadline)
