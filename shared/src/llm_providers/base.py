"""One small protocol per role; backends and wrappers alike satisfy them structurally."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from llm_providers.deadline import Deadline
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Vectors


@runtime_checkable
class LLMProvider(Protocol):
    """Chat, and vision where messages carry images."""

    @property
    def name(self) -> str: ...

    def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        """Yield `Started`, any number of `Token`, one `Done`; or raise a `ProviderError`.

        Closing the generator stops the generation at the engine.
        """
        ...

    async def info(self, deadline: Deadline) -> ModelInfo:
        """Say which model answers and how much context it has; raises `Unavailable` if that can't be told."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class EmbeddingProvider(Protocol):
    """Texts to vectors."""

    @property
    def name(self) -> str: ...

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return float32 of shape (len(texts), dimension), rows of unit length.

        Raises `ContextLengthExceeded` rather than drop text in silence.
        """
        ...

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class RerankProvider(Protocol):
    """Order documents by relevance to a query."""

    @property
    def name(self) -> str: ...

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        """Return at most `top_n` results, best first."""
        ...

    async def aclose(self) -> None: ...
