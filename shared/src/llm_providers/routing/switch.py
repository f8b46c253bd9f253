"""The provider that the policy names now, exchanged while requests run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from llm_providers.base import EmbeddingProvider, LLMProvider, RerankProvider
from llm_providers.deadline import Deadline
from llm_providers.errors import Halted
from llm_providers.types import ChatEvent, ChatRequest, EmbeddingModel, EmbedKind, ModelInfo, Ranked, Vectors

P = TypeVar("P", bound=LLMProvider | EmbeddingProvider | RerankProvider)
_RETRY_AFTER = 30.0


class Switch(Generic[P]):
    """Holds the current provider of a role; while halted, `current` raises `Halted`."""

    def __init__(self, provider: P) -> None:
        self.provider = provider
        self._halted = False

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def current(self) -> P:
        if self._halted:
            raise _halted()
        return self.provider

    def replace(self, provider: P, *, halted: bool) -> None:
        """Send the requests that begin from now on to `provider`."""
        self.provider, self._halted = provider, halted


class SwitchedChat(Switch[LLMProvider]):
    """Hands each request to the current provider, where it also ends; a halt ends the running streams too.

    A request that names its backend gets it from `pinned`, which raises `RequestRejected` for one that does not exist.
    """

    def __init__(self, provider: LLMProvider, pinned: Callable[[str], Awaitable[LLMProvider]]) -> None:
        super().__init__(provider)
        self._pinned = pinned
        self._running: set[_Running] = set()

    def replace(self, provider: LLMProvider, *, halted: bool) -> None:
        super().replace(provider, halted=halted)
        if halted:
            for stream in self._running:
                stream.halt()

    async def chat(self, request: ChatRequest, deadline: Deadline) -> AsyncGenerator[ChatEvent, None]:
        provider = self.current
        if request.backend:
            provider = await self._pinned(request.backend)
        running = _Running()
        self._running.add(running)
        try:
            async with aclosing(provider.chat(request, deadline)) as stream:
                while (event := await running.next(stream)) is not None:
                    yield event
        finally:
            self._running.discard(running)

    async def info(self, deadline: Deadline) -> ModelInfo:
        return await self.provider.info(deadline)


class SwitchedEmbeddings(Switch[EmbeddingProvider]):
    """Hands each call to the current provider."""

    async def embed(self, texts: Sequence[str], kind: EmbedKind, deadline: Deadline) -> Vectors:
        return await self.current.embed(texts, kind, deadline)

    async def embedding_model(self, deadline: Deadline) -> EmbeddingModel:
        return await self.provider.embedding_model(deadline)


class SwitchedRerank(Switch[RerankProvider]):
    """Hands each call to the current provider."""

    async def rerank(self, query: str, documents: Sequence[str], top_n: int, deadline: Deadline) -> list[Ranked]:
        return await self.current.rerank(query, documents, top_n, deadline)


class _Running:
    """One stream, and the way to stop it from outside."""

    def __init__(self) -> None:
        self._halted = False
        self._scope: asyncio.Timeout | None = None

    def halt(self) -> None:
        self._halted = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def next(self, stream: AsyncGenerator[ChatEvent, None]) -> ChatEvent | None:
        """Return the next event, None after the last; raises `Halted` as soon as the halt comes."""
        if self._halted:
            raise _halted()
        try:
            async with asyncio.timeout(None) as self._scope:
                return await anext(stream, None)
        except TimeoutError:
            raise _halted() from None
        finally:
            self._scope = None


def _halted() -> Halted:
    return Halted("generation is halted by the operator", retry_after=_RETRY_AFTER)
