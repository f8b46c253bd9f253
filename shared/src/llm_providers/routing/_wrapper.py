"""What every wrapper is: the three protocols again, each call handed to one method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import StreamBroken
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Vectors

P = TypeVar("P", bound=LLMProvider | EmbeddingProvider | RerankProvider, covariant=True)
T = TypeVar("T")


async def open_stream(
    provider: LLMProvider, request: ChatRequest, deadline: Deadline
) -> AsyncGenerator[ChatEvent, None]:
    """Return the stream of an answer that has begun: until then, opening it is a call that fails or succeeds."""
    stream = provider.chat(request, deadline)
    try:
        first = await anext(stream)
    except StopAsyncIteration:
        raise StreamBroken("the stream ended before it began", backend=provider.name) from None
    except BaseException:
        await stream.aclose()
        raise
    return _opened(first, stream)


async def _opened(first: ChatEvent, rest: AsyncGenerator[ChatEvent, None]) -> AsyncGenerator[ChatEvent, None]:
    async with aclosing(rest):
        yield first
        async for event in rest:
            yield event


class Wrapper(ABC, Generic[P]):
    """A provider around others of the same role; it owns no connection, so that closing it closes nothing."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    async def run(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        """Make `call` on a wrapped provider, as this wrapper means it; every role goes through here."""

    async def ask(self, call: Callable[[P], Awaitable[T]], deadline: Deadline) -> T:
        """Like `run`, for questions about the model that produce no token or vector."""
        return await self.run(call, deadline)

    async def chat(
        self: Wrapper[LLMProvider], request: ChatRequest, deadline: Deadline
    ) -> AsyncGenerator[ChatEvent, None]:
        stream = await self.run(lambda provider: open_stream(provider, request, deadline), deadline)
        async with aclosing(stream):
            async for event in stream:
                yield event

    async def info(self: Wrapper[LLMProvider], deadline: Deadline) -> ModelInfo:
        return await self.ask(lambda provider: provider.info(deadline), deadline)

    async def embed(
        self: Wrapper[EmbeddingProvider], texts: Sequence[str], kind: EmbedKind, deadline: Deadline
    ) -> Vectors:
        return await self.run(lambda provider: provider.embed(texts, kind, deadline), deadline)

    async def embedding_model(self: Wrapper[EmbeddingProvider], deadline: Deadline) -> EmbeddingModel:
        return await self.ask(lambda provider: provider.embedding_model(deadline), deadline)

    async def rerank(
        self: Wrapper[RerankProvider], query: str, documents: Sequence[str], top_n: int, deadline: Deadline
    ) -> list[Ranked]:
        return await self.run(lambda provider: provider.rerank(query, documents, top_n, deadline), deadline)

    async def aclose(self) -> None:
        """Nothing: whoever opened the wrapped providers closes them."""
