"""One small protocol per role; backends and wrappers alike satisfy them structurally, and wrappers share a base."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from llm_providers.deadline import Deadline
from llm_providers.types import (
    ChatEvent,
    ChatRequest,
    EmbeddingModel,
    EmbedKind,
    EngineInfo,
    ModelInfo,
    Ranked,
    TokenDocument,
    Vectors,
)


@runtime_checkable
class LLMProvider(Protocol):
    """Chat, and vision where messages carry images."""

    @property
    def name(self) -> str: ...

    def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        """Yield `Started`, any number of `Token` and `Thought`, one `Done`; or raise a `ProviderError`.

        Closing the generator stops the generation at the engine.
        """

    async def info(self, deadline: Deadline) -> ModelInfo:
        """Return which model answers and how much context it has; raises `Unavailable` and `ModelNotFound`."""


@runtime_checkable
class EmbeddingProvider(Protocol):
    """Texts to vectors."""

    @property
    def name(self) -> str: ...

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        """Return float32 of shape (len(texts), dimension), rows of unit length.

        Raises `ContextLengthExceeded` rather than drop text in silence.
        """

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel: ...


@runtime_checkable
class RerankProvider(Protocol):
    """Order documents by relevance to a query."""

    @property
    def name(self) -> str: ...

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        """Return at most `top_n` results, best first."""


@runtime_checkable
class LateInteraction(Protocol):
    """Re-ranks by token vectors that were made together with the documents' vectors, https://arxiv.org/abs/2004.12832."""

    async def embed_with_tokens(self, texts: Sequence[str], deadline: Deadline) -> tuple[Vectors, list[bytes]]:
        """Return what `embed` does for documents, and for each text what `rerank_tokens` wants to have kept of it."""

    async def rerank_tokens(self, query: str, documents: Sequence[TokenDocument], deadline: Deadline) -> list[float]:
        """Return the relevance of each document, higher for better."""


@runtime_checkable
class Backend(Protocol):
    """A client of one server and one of its models, beside what it does in its role; it owns its connections."""

    @property
    def name(self) -> str:
        """Return the name of its engine in the table."""

    @property
    def in_process(self) -> bool:
        """Whether the model lives in this process, and so cannot be replaced while the process runs."""

    @property
    def extractive(self) -> bool:
        """Whether it only quotes its sources instead of writing."""

    async def about(self, deadline: Deadline) -> EngineInfo:
        """Ask what runs there; raises `Unavailable` and `ModelNotFound`."""

    def get_direct_client(self) -> Any:
        """Return the SDK's own client of the server, closed with the backend; its type depends on the kind of engine."""

    async def aclose(self) -> None: ...


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
